/**
 * Requests against a server, as fast as some clients can, or at a fixed rate whatever the answers do. At a fixed rate a request's
 * time counts from when it was due, so that a server that stalls cannot hide it by making the load wait.
 */
import { type Answer, HttpLine } from './http-line.ts';

export class HttpLoad {
  readonly #url: URL;
  readonly #connections: number;
  readonly #lines = new Set<HttpLine>();
  /** The one that was used last is used next: few connections at a low rate, as people's are. */
  readonly #idle: HttpLine[] = [];
  readonly #waiting: ((line: HttpLine) => void)[] = [];

  /** @param connections most at a time */
  constructor(url: string, connections: number) {
    this.#url = new URL(url);
    this.#connections = connections;
  }

  async send(method: string, path: string, key: string, body?: string): Promise<Answer> {
    const { host } = this.#url;
    const content =
      body === undefined ? '' : `Content-Type: application/json\r\nContent-Length: ${Buffer.byteLength(body)}\r\n`;
    const head = `${method} ${path} HTTP/1.1\r\nHost: ${host}\r\nAuthorization: Bearer ${key}\r\n${content}\r\n`;
    const line = await this.#take();
    try {
      return await line.ask(head + (body ?? ''));
    } finally {
      this.#give(line);
    }
  }

  close(): void {
    for (const line of this.#lines) line.close();
  }

  #take(): HttpLine | Promise<HttpLine> {
    const idle = this.#idle.pop();
    if (idle) return idle;
    if (this.#lines.size >= this.#connections) return new Promise((resolve) => this.#waiting.push(resolve));
    return this.#make();
  }

  #make(): HttpLine {
    const line = new HttpLine(this.#url.hostname, Number(this.#url.port), () => {
      this.#lines.delete(line);
      const at = this.#idle.indexOf(line);
      if (at >= 0) this.#idle.splice(at, 1);
    });
    this.#lines.add(line);
    return line;
  }

  #give(line: HttpLine): void {
    const isAlive = this.#lines.has(line);
    const next = this.#waiting.shift();
    if (next) next(isAlive ? line : this.#make());
    else if (isAlive) this.#idle.push(line);
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
