/** How the client writes a request: query text and bodies. */
import type { z } from 'zod';

/** YAML as the user wrote it; the server parses it, so that lines and columns of errors are those of the file. */
export class YamlBody {
  readonly text: string;

  constructor(text: string) {
    this.text = text;
  }
}

/** Body of a call: what a person may write, or YAML where the endpoint takes it. */
export type BodyOf<R> = R extends { readonly body: infer S extends z.ZodType }
  ? z.input<S> | (R extends { readonly yaml: true } ? YamlBody : never)
  : never;

/** What a request needs of `fetch`. */
export interface FetchInit {
  readonly method: string;
  readonly headers: Record<string, string>;
  readonly body?: string | Uint8Array | ReadableStream | undefined;
  readonly signal?: AbortSignal | undefined;
}

/** What the client reads of a `Response`. */
export interface Answer {
  readonly ok: boolean;
  readonly status: number;
  readonly headers: { get(name: string): string | null };
  readonly body: AsyncIterable<Uint8Array> | null;
  text(): Promise<string>;
  json(): Promise<unknown>;
}

/** Sends a request, as `fetch` does; redirects are errors. */
export type Fetch = (url: string, init: FetchInit) => Promise<Answer>;

/** `?a=1&b=2`, or nothing; undefined values are left out, lists repeated. */
export function queryText(query: Readonly<Record<string, unknown>> | undefined): string {
  const parameters = new URLSearchParams();
  for (const [name, value] of Object.entries(query ?? {})) {
    if (value === undefined) continue;
    for (const one of Array.isArray(value) ? value : [value]) parameters.append(name, String(one));
  }
  const text = parameters.toString();
  return text === '' ? '' : `?${text}`;
}

/** A body as `fetch` takes it, with its media type. */
export function encodeBody(body: unknown): { body?: string | Uint8Array | ReadableStream; contentType?: string } {
  if (body === undefined) return {};
  if (body instanceof YamlBody) return { body: body.text, contentType: 'application/yaml' };
  // By its shape: naming the class of web streams would load them, which a command that starts has to wait for.
  if (body instanceof Uint8Array || typeof (body as ReadableStream).getReader === 'function') {
    return { body: body as Uint8Array | ReadableStream, contentType: 'application/octet-stream' };
  }
  return { body: JSON.stringify(body), contentType: 'application/json' };
}
