/**
 * One request to the API, typed by the contract table.
 *
 * The session's cookie says who asks. It is sent only to this origin, and every request carries a header that a form of
 * another site cannot set. Whoever calls decides about repeats (queries.ts); a request itself is sent once.
 */
import type { Endpoint, Input, Output } from './contract.ts';
import { Problem, readProblem } from './problem.ts';

/** Longest time for an answer, milliseconds. */
const timeoutMs = 30_000;

export interface RequestOptions {
  readonly signal?: AbortSignal | undefined;
  readonly headers?: Readonly<Record<string, string>> | undefined;
}

interface AnyInput {
  readonly params?: Readonly<Record<string, string>>;
  readonly query?: Readonly<Record<string, unknown>>;
  readonly body?: unknown;
}

type Arguments<E extends Endpoint> =
  object extends Input<E> ? [input?: Input<E>, options?: RequestOptions] : [input: Input<E>, options?: RequestOptions];

/**
 * Sends a request and reads its answer.
 * @throws Problem; an abort by the caller stays an AbortError
 */
export async function request<E extends Endpoint>(endpoint: E, ...rest: Arguments<E>): Promise<Output<E>> {
  const [input = {}, options = {}] = rest as [AnyInput?, RequestOptions?];
  const [method, path] = endpoint.split(' ') as [string, string];
  const deadline = AbortSignal.timeout(timeoutMs);
  const signal = options.signal ? AbortSignal.any([options.signal, deadline]) : deadline;
  let response: Response;
  let text: string;
  try {
    response = await fetch(pathOf(path, input.params) + queryText(input.query), {
      method,
      signal,
      redirect: 'error',
      credentials: 'same-origin',
      headers: {
        accept: 'application/json',
        'x-solyx-client': 'dashboard',
        ...(input.body !== undefined && { 'content-type': 'application/json' }),
        ...options.headers,
      },
      ...(input.body !== undefined && { body: JSON.stringify(input.body) }),
    });
    text = await response.text();
  } catch (error) {
    if (options.signal?.aborted) throw error;
    const detail = deadline.aborted
      ? `No answer within ${timeoutMs / 1000} s.`
      : 'The connection failed before an answer came.';
    throw new Problem({ code: 'network', title: 'The server cannot be reached.', detail, status: 0 });
  }
  const answer = parse(text, response.headers.get('content-type'));
  if (!response.ok) throw readProblem(response.status, response.headers, answer);
  return answer as Output<E>;
}

function parse(text: string, contentType: string | null): unknown {
  if (text === '') return undefined;
  if (contentType?.includes('json') !== true) return text;
  try {
    return JSON.parse(text);
  } catch {
    return undefined;
  }
}

/** The path with its `:name` parameters filled in. */
export function pathOf(path: string, params: Readonly<Record<string, string>> = {}): string {
  return path.replace(/:(\w+)/g, (_, name: string) => encodeURIComponent(params[name] ?? ''));
}

/** `?a=1&b=2`, or nothing; undefined values are left out, lists repeated. */
export function queryText(query: Readonly<Record<string, unknown>> = {}): string {
  const parameters = new URLSearchParams();
  for (const [name, value] of Object.entries(query)) {
    if (value === undefined) continue;
    for (const one of Array.isArray(value) ? value : [value]) parameters.append(name, String(one));
  }
  const text = parameters.toString();
  return text === '' ? '' : `?${text}`;
}
