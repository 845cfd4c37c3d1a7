/**
 * The typed client of the public API, for CLI, dashboard and tests: one method per endpoint, typed by the contract table.
 *
 * Only types come from the table, so importing this loads no zod (a command line must start fast). Answers are trusted
 * as the server wrote them. A request is repeated, with jitter, only where that does no harm: reads, uploads by hash,
 * and submissions, which always carry an Idempotency-Key.
 */
import { setTimeout as wait } from 'node:timers/promises';
import type { z } from 'zod';
import { type Code, errorCodes, type Problem, SolyxError } from '../errors/index.ts';
import { type FollowOptions, followLogs, type LogFrame } from './client-logs.ts';
import { type Answer, type BodyOf, encodeBody, type Fetch, queryText } from './client-request.ts';
import { type EndpointId, endpoints } from './endpoints.ts';
import type { Routes } from './routes/index.ts';

type Part<R, Name extends string> = R extends { readonly [P in Name]: infer S extends z.ZodType } ? z.output<S> : never;
type Field<Name extends string, Value> = [Value] extends [never] ? unknown : { readonly [P in Name]: Value };
type Optional<Name extends string, Value> = [Value] extends [never] ? unknown : { readonly [P in Name]?: Value };

export interface CallOptions {
  readonly signal?: AbortSignal | undefined;
  /** Longest time for the whole call with its repeats, seconds > 0. */
  readonly timeoutSeconds?: number | undefined;
  /** submitJob: a key of one's own; made up if missing. */
  readonly idempotencyKey?: string | undefined;
}

/** What goes into a call: path parameters, query, body. */
export type CallInput<I extends EndpointId> = Field<'params', Part<Routes[I], 'params'>> &
  Optional<'query', Partial<Part<Routes[I], 'query'>>> &
  (I extends 'putBlob' ? { readonly body: Uint8Array | ReadableStream<Uint8Array> } : Field<'body', BodyOf<Routes[I]>>);

/** What comes out of a call. */
export type CallAnswer<I extends EndpointId> = Routes[I] extends { readonly response: infer S extends z.ZodType }
  ? z.output<S>
  : never;

type Method<I extends EndpointId> =
  object extends CallInput<I>
    ? (input?: CallInput<I>, options?: CallOptions) => Promise<CallAnswer<I>>
    : (input: CallInput<I>, options?: CallOptions) => Promise<CallAnswer<I>>;

export type Client = { readonly [I in EndpointId]: Method<I> } & {
  /** Follows a log to its end, across lost connections; each line comes once. */
  followJobLogs(jobId: string, options?: FollowOptions): AsyncGenerator<LogFrame>;
};

export interface ClientOptions {
  /** Like `http://127.0.0.1:8080`. */
  readonly url: string;
  readonly apiKey?: string | undefined;
  /** Default for calls, seconds > 0; default 30. */
  readonly timeoutSeconds?: number;
  /** Most repeats of a call that may be repeated, ≥ 0; default 4. */
  readonly retries?: number;
  /** How requests are sent; default the platform's `fetch`. */
  readonly fetch?: Fetch;
}

interface RawInput {
  readonly params?: Readonly<Record<string, string>>;
  readonly query?: Readonly<Record<string, unknown>>;
  readonly body?: unknown;
}

/** A request that passed: what `followLogs` needs of the transport. */
export type Send = (id: EndpointId, input: RawInput, options: CallOptions) => Promise<Answer>;

const repeatableCodes = new Set<Code>([
  'server_unreachable',
  'database_unavailable',
  'database_timeout',
  'not_ready',
  'rate_limited',
]);

/** Makes a client. It holds no connection of its own and needs no closing. */
export function createClient(options: ClientOptions): Client {
  const base = options.url.replace(/\/+$/, '');
  const sendRequest = options.fetch ?? platformFetch;

  const send: Send = async (id, input, { signal, idempotencyKey }) => {
    const { method, path } = endpoints[id];
    const filled = path.replace(/:(\w+)/g, (_, name: string) => encodeURIComponent(input.params?.[name] ?? ''));
    const { body, contentType } = encodeBody(input.body);
    let response: Answer;
    try {
      response = await sendRequest(`${base}${filled}${queryText(input.query)}`, {
        method,
        signal,
        body,
        headers: {
          accept: 'application/json',
          ...(options.apiKey !== undefined && { authorization: `Bearer ${options.apiKey}` }),
          ...(contentType !== undefined && { 'content-type': contentType }),
          ...(idempotencyKey !== undefined && { 'idempotency-key': idempotencyKey }),
        },
      });
    } catch (error) {
      throw unreachable(error, base);
    }
    if (!response.ok) throw await readProblem(response);
    return response;
  };

  const call = async (id: EndpointId, input: RawInput = {}, given: CallOptions = {}): Promise<unknown> => {
    const seconds = given.timeoutSeconds ?? options.timeoutSeconds ?? 30;
    const deadline = AbortSignal.timeout(Math.ceil(seconds * 1000));
    const signal = given.signal ? AbortSignal.any([given.signal, deadline]) : deadline;
    const idempotencyKey = given.idempotencyKey ?? (id === 'submitJob' ? crypto.randomUUID() : undefined);
    const most = isRepeatable(id, input) ? (options.retries ?? 4) : 0;
    for (let attempt = 0; ; attempt += 1) {
      try {
        return await readAnswer(await send(id, input, { signal, idempotencyKey }), base);
      } catch (error) {
        if (attempt >= most || signal.aborted || !(error instanceof SolyxError) || !repeatableCodes.has(error.code))
          throw error;
        await wait(pauseMs(attempt, error), undefined, { signal }).catch(() => {
          throw error;
        });
      }
    }
  };

  const methods = Object.fromEntries(
    (Object.keys(endpoints) as EndpointId[]).map((id) => [
      id,
      (input?: RawInput, given?: CallOptions) => call(id, input, given),
    ]),
  );
  return {
    ...methods,
    followJobLogs: (jobId: string, follow?: FollowOptions) => followLogs(send, jobId, follow),
  } as unknown as Client;
}

const platformFetch: Fetch = (url, { body, signal, ...rest }) =>
  fetch(url, {
    ...rest,
    redirect: 'error',
    ...(signal && { signal }),
    ...(body !== undefined && { body, duplex: 'half' }),
  } as RequestInit);

function isRepeatable(id: EndpointId, input: RawInput): boolean {
  if (id === 'submitJob') return true;
  if (id === 'putBlob') return input.body instanceof Uint8Array;
  const { method } = endpoints[id];
  return method === 'GET' || method === 'HEAD';
}

/** Exponential from 100 ms with full jitter in the upper half; never less than the server asked for. */
function pauseMs(attempt: number, error: SolyxError): number {
  const full = Math.min(5_000, 100 * 2 ** attempt);
  return Math.max(full / 2 + (Math.random() * full) / 2, (error.retryAfterSeconds ?? 0) * 1000);
}

async function readAnswer(response: Answer, base: string): Promise<unknown> {
  const isJson = response.headers.get('content-type')?.includes('json');
  try {
    const text = await response.text();
    if (text === '') return undefined;
    return isJson ? JSON.parse(text) : text;
  } catch (error) {
    throw unreachable(error, base);
  }
}

/** An abort stays what it is; anything else of `fetch` means that nobody answered. */
function unreachable(error: unknown, base: string): unknown {
  const { name, cause } = error as Error & { cause?: { code?: string; message?: string } };
  if (name === 'AbortError') return error;
  if (name === 'TimeoutError')
    return new SolyxError('server_unreachable', { detail: `${base} did not answer in time.`, cause: error });
  const why = cause?.code ?? cause?.message ?? (error as NodeJS.ErrnoException).code ?? (error as Error).message;
  return new SolyxError('server_unreachable', { detail: `${base} (${why})`, cause: error });
}

/** The error that an answer carries; an answer that is no problem of ours (a proxy's) is told by its status. */
export async function readProblem(response: Answer): Promise<SolyxError> {
  const retryAfter = Number(response.headers.get('retry-after'));
  const retryAfterSeconds = Number.isFinite(retryAfter) && retryAfter > 0 ? retryAfter : undefined;
  const problem = (await response.json().catch(() => undefined)) as Partial<Problem> | undefined;
  if (problem?.code !== undefined && Object.hasOwn(errorCodes, problem.code)) {
    // The request id is how the server's log finds the case, so it is told where the log is needed.
    const place =
      response.status >= 500 && problem.instance !== undefined ? `(request ${problem.instance})` : undefined;
    const detail = [problem.detail, place].filter((part) => part !== undefined).join(' ') || undefined;
    return new SolyxError(problem.code, { detail, issues: problem.issues, retryAfterSeconds });
  }
  const code = codeOfStatus(response.status);
  return new SolyxError(code, { detail: `The server answered ${response.status}.`, retryAfterSeconds });
}

function codeOfStatus(status: number): Code {
  if (status === 401) return 'unauthenticated';
  if (status === 403) return 'forbidden';
  if (status === 404) return 'not_found';
  if (status === 429) return 'rate_limited';
  if (status === 502 || status === 503 || status === 504) return 'server_unreachable';
  return status >= 500 ? 'internal' : 'bad_request';
}
