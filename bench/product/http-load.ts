/**
 * Requests against a server, as fast as some clients can, or at a fixed rate whatever the answers do. At a fixed rate a request's
 * time counts from when it was due, so that a server that stalls cannot hide it by making the load wait.
 */
import { Agent, request } from 'node:http';

export interface Answer {
  readonly status: number;
  readonly body: string;
}

export class HttpLoad {
  readonly #url: URL;
  readonly #agent: Agent;

  /** @param connections most at a time */
  constructor(url: string, connections: number) {
    this.#url = new URL(url);
    this.#agent = new Agent({ keepAlive: true, maxSockets: connections });
  }

  send(method: string, path: string, key: string, body?: string): Promise<Answer> {
    return new Promise((resolve, reject) => {
      const asked = request(
        {
          agent: this.#agent,
          host: this.#url.hostname,
          port: this.#url.port,
          method,
          path,
          headers: {
            authorization: `Bearer ${key}`,
            ...(body !== undefined && {
              'content-type': 'application/json',
              'content-length': Buffer.byteLength(body),
            }),
          },
        },
        (response) => {
          const chunks: Buffer[] = [];
          response.on('data', (chunk) => chunks.push(chunk));
          response.once('end', () =>
            resolve({ status: response.statusCode ?? 0, body: Buffer.concat(chunks).toString() }),
          );
          response.once('error', reject);
        },
      );
      asked.once('error', reject);
      asked.end(body);
    });
  }

  close(): void {
    this.#agent.destroy();
  }
}

/** `clients` at once, each sending its next when the last was answered. @returns answers a second */
export async function asFastAsPossible(clients: number, seconds: number, send: () => Promise<void>): Promise<number> {
  const until = performance.now() + seconds * 1000;
  let answered = 0;
  await Promise.all(
    Array.from({ length: clients }, async () => {
      while (performance.now() < until) {
        await send();
        answered += 1;
      }
    }),
  );
  return answered / seconds;
}

/** At a fixed rate. @returns how long each took from when it was due, milliseconds */
export async function atRate(perSecond: number, seconds: number, send: () => Promise<void>): Promise<number[]> {
  const took: number[] = [];
  const open = new Set<Promise<void>>();
  const began = performance.now();
  const total = Math.round(perSecond * seconds);
  for (let sent = 0; sent < total; ) {
    const now = performance.now();
    for (; sent < total && began + (sent * 1000) / perSecond <= now; sent += 1) {
      const due = began + (sent * 1000) / perSecond;
      const one = send().then(() => {
        took.push(performance.now() - due);
        open.delete(one);
      });
      open.add(one);
    }
    await new Promise((resolve) => setTimeout(resolve, 1));
  }
  await Promise.all(open);
  return took;
}
