/**
 * A TCP proxy that behaves as networks do when they are ill: it stalls, crawls, or loses one side without telling the other.
 * It stands between real processes and knows nothing of what they say.
 */
import { connect, createServer, type Server, type Socket } from 'node:net';

export type Illness =
  | { readonly kind: 'none' }
  /** Takes connections and bytes, and passes nothing on, as a firewall that drops packets. */
  | { readonly kind: 'stalled' }
  /** Passes at most so many bytes a second each way. */
  | { readonly kind: 'slow'; readonly bytesPerSecond: number };

interface Pair {
  readonly near: Socket;
  readonly far: Socket;
}

export class BadProxy {
  readonly #server: Server;
  readonly #target: number;
  readonly #pairs = new Set<Pair>();
  readonly #waiting = new Set<() => void>();
  #illness: Illness = { kind: 'none' };

  private constructor(target: number) {
    this.#target = target;
    this.#server = createServer((near) => this.#join(near));
  }

  /** @param target URL of the server on this machine */
  static async before(target: string): Promise<BadProxy> {
    const proxy = new BadProxy(Number(new URL(target).port));
    await new Promise<void>((resolve) => proxy.#server.listen(0, '127.0.0.1', resolve));
    return proxy;
  }

  get url(): string {
    return `http://127.0.0.1:${(this.#server.address() as { port: number }).port}`;
  }

  set illness(illness: Illness) {
    this.#illness = illness;
    for (const go of this.#waiting) go();
    this.#waiting.clear();
  }

  /** How many connections go through it. */
  get connections(): number {
    return this.#pairs.size;
  }

  /** The server loses every connection, and the clients are told nothing: theirs stay open and silent. */
  loseServerSide(): void {
    for (const { near, far } of this.#pairs) {
      far.removeAllListeners('close');
      far.removeAllListeners('data');
      far.destroy();
      near.pause();
    }
  }

  async close(): Promise<void> {
    for (const { near, far } of this.#pairs) for (const socket of [near, far]) socket.destroy();
    await new Promise((resolve) => this.#server.close(resolve));
  }

  #join(near: Socket): void {
    const far = connect(this.#target, '127.0.0.1');
    const pair = { near, far };
    this.#pairs.add(pair);
    for (const [from, to] of [
      [near, far],
      [far, near],
    ] as const) {
      void this.#pass(from, to);
      from.on('error', () => {});
      from.on('close', () => {
        to.destroy();
        this.#pairs.delete(pair);
      });
    }
  }

  async #pass(from: Socket, to: Socket): Promise<void> {
    try {
      for await (const bytes of from as AsyncIterable<Buffer>) {
        await this.#healthy();
        if (this.#illness.kind === 'slow') await this.#crawl(bytes, to, this.#illness.bytesPerSecond);
        else if (!to.write(bytes)) await new Promise((resolve) => to.once('drain', resolve).once('close', resolve));
      }
    } catch {
      // Cut off: the other side is told by the close.
    }
  }

  async #healthy(): Promise<void> {
    while (this.#illness.kind === 'stalled') await new Promise<void>((go) => this.#waiting.add(go));
  }

  /** Tenths of a second at a time, so that neither side sees bursts. */
  async #crawl(bytes: Buffer, to: Socket, bytesPerSecond: number): Promise<void> {
    const piece = Math.max(1, Math.floor(bytesPerSecond / 10));
    for (let at = 0; at < bytes.length; at += piece) {
      to.write(bytes.subarray(at, at + piece));
      await new Promise((resolve) => setTimeout(resolve, 100));
    }
  }
}
