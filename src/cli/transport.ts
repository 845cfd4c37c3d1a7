/**
 * HTTP for the client by node:http: it starts some 60 ms sooner than `fetch`, and a command sends one or two requests and ends.
 */
import type { IncomingMessage, RequestOptions } from 'node:http';
import { Readable } from 'node:stream';
import type { ReadableStream } from 'node:stream/web';
import type { Answer, FetchInit } from '../common/contract/client-request.ts';

/** Sends a request; redirects are not followed. @throws the signal's reason, or the system's error */
export async function fetchByNode(url: string, init: FetchInit): Promise<Answer> {
  const target = new URL(url);
  const { request } = target.protocol === 'https:' ? await import('node:https') : await import('node:http');
  const { method, headers, body, signal } = init;
  // A connection kept from before may be closed by now, which only a read may find out by failing.
  const options: RequestOptions = {
    method,
    headers,
    ...(signal && { signal }),
    ...(method !== 'GET' && { agent: false }),
  };
  const response = await new Promise<IncomingMessage>((resolve, reject) => {
    const sent = request(target, options, resolve);
    sent.once('error', (error) => reject(signal?.aborted ? signal.reason : error));
    if (body === undefined || typeof body === 'string' || body instanceof Uint8Array) sent.end(body);
    else
      Readable.fromWeb(body as ReadableStream)
        .once('error', (error) => sent.destroy(error))
        .pipe(sent);
  });
  return new NodeAnswer(response);
}

class NodeAnswer implements Answer {
  readonly body: IncomingMessage;
  readonly headers = {
    get: (name: string): string | null => [this.body.headers[name.toLowerCase()] ?? []].flat()[0] ?? null,
  };

  constructor(response: IncomingMessage) {
    this.body = response;
  }

  get status(): number {
    return this.body.statusCode ?? 0;
  }

  get ok(): boolean {
    return this.status >= 200 && this.status < 300;
  }

  async text(): Promise<string> {
    this.body.setEncoding('utf8');
    let text = '';
    for await (const part of this.body) text += part;
    return text;
  }

  async json(): Promise<unknown> {
    return JSON.parse(await this.text());
  }
}
