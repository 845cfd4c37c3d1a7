/**
 * One kept-alive connection, one request at a time, as cheap as a client can be: the load shares the machine with the server that
 * it measures, and what it costs is missing there.
 *
 * It reads what Solyx answers with (a head, and a body of known length) and refuses anything else loudly.
 */
import { connect, type Socket } from 'node:net';

/** All lines read into it, one after the other. */
const shared = Buffer.allocUnsafe(1 << 18);
const headEnd = Buffer.from('\r\n\r\n');

export class Answer {
  readonly status: number;
  readonly #body: Buffer;

  constructor(status: number, body: Buffer) {
    this.status = status;
    this.#body = body;
  }

  /** Decoded when it is asked for: most are not. */
  get body(): string {
    return this.#body.toString();
  }
}

interface Asked {
  readonly resolve: (answer: Answer) => void;
  readonly reject: (error: Error) => void;
}

export class HttpLine {
  readonly #socket: Socket;
  /** Told when it ended by itself. */
  readonly #onLost: () => void;
  #asked: Asked | undefined;
  #chunks: Buffer[] = [];
  #received = 0;
  /** Of head and body; undefined until the head is whole. */
  #expected: { readonly status: number; readonly headBytes: number; readonly bytes: number } | undefined;

  constructor(host: string, port: number, onLost: () => void) {
    this.#onLost = onLost;
    const onread = {
      buffer: shared,
      callback: (bytes: number) => {
        this.#receive(Buffer.from(shared.subarray(0, bytes)));
        return true;
      },
    };
    this.#socket = connect({ host, port, noDelay: true, onread });
    this.#socket.on('error', (error) => this.#lose(error));
    this.#socket.on('close', () => this.#lose(new Error('the server closed the connection')));
  }

  /** Sends a request; the one before must have been answered. */
  ask(request: string): Promise<Answer> {
    return new Promise((resolve, reject) => {
      this.#asked = { resolve, reject };
      this.#socket.write(request);
    });
  }

  close(): void {
    this.#socket.destroy();
  }

  #receive(chunk: Buffer): void {
    this.#chunks.push(chunk);
    this.#received += chunk.length;
    this.#expected ??= this.#readHead();
    if (this.#expected === undefined || this.#received < this.#expected.bytes) return;
    const { status, headBytes, bytes } = this.#expected;
    if (this.#received > bytes) {
      this.#lose(new Error('an answer to nothing'));
      return;
    }
    const all = this.#chunks.length === 1 ? this.#chunks[0]! : Buffer.concat(this.#chunks);
    const asked = this.#asked;
    this.#chunks = [];
    this.#received = 0;
    this.#expected = undefined;
    this.#asked = undefined;
    asked?.resolve(new Answer(status, all.subarray(headBytes)));
  }

  #readHead() {
    const all = this.#chunks.length === 1 ? this.#chunks[0]! : Buffer.concat(this.#chunks);
    const end = all.indexOf(headEnd);
    if (end < 0) return undefined;
    const head = all.toString('latin1', 0, end);
    const length = /\r\ncontent-length: *(\d+)/i.exec(head)?.[1];
    if (length === undefined) {
      this.#lose(new Error(`an answer without a length: ${head}`));
      return undefined;
    }
    const headBytes = end + headEnd.length;
    return { status: Number(head.slice(9, 12)), headBytes, bytes: headBytes + Number(length) };
  }

  #lose(error: Error): void {
    this.#socket.destroy();
    const asked = this.#asked;
    this.#asked = undefined;
    asked?.reject(error);
    this.#onLost();
  }
}
