/**
 * A WebSocket client that costs next to nothing, for a load of a thousand of them on the machine of the server that they watch.
 *
 * A library builds an emitter, streams and a string a frame, which together cost as much as sending it. Here a frame is a view of
 * one buffer that all sockets read into. It speaks only what the bench needs: whole text frames in, pongs and short
 * texts out; anything else ends the run loudly.
 */
import { randomBytes } from 'node:crypto';
import { connect, type Socket } from 'node:net';

const opcodes = { text: 1, close: 8, ping: 9, pong: 10 } as const;
/** All sockets read into it, one after the other: what is kept must be copied. */
const shared = Buffer.allocUnsafe(1 << 20);
const nothing = Buffer.alloc(0);

export interface LiveClientOptions {
  readonly url: string;
  readonly protocols: readonly string[];
  /** Gets the bytes of each text frame; they are overwritten afterwards. */
  readonly onText: (text: Buffer) => void;
  /** The socket ended, or said what this client does not speak. */
  readonly onLost: (why: string) => void;
}

export class LiveClient {
  readonly #options: LiveClientOptions;
  readonly #socket: Socket;
  readonly #opened = Promise.withResolvers<void>();
  #isOpen = false;
  #rest: Buffer = nothing;

  private constructor(options: LiveClientOptions) {
    this.#options = options;
    const { hostname, port, pathname } = new URL(options.url);
    const onread = {
      buffer: shared,
      callback: (bytes: number) => {
        this.#receive(shared.subarray(0, bytes));
        return true;
      },
    };
    this.#socket = connect({ host: hostname, port: Number(port), noDelay: true, onread });
    this.#socket.on('error', (error) => this.#lose(error.message));
    this.#socket.on('close', () => this.#lose('closed'));
    this.#socket.write(
      [
        `GET ${pathname} HTTP/1.1`,
        `Host: ${hostname}:${port}`,
        'Connection: Upgrade',
        'Upgrade: websocket',
        'Sec-WebSocket-Version: 13',
        `Sec-WebSocket-Key: ${randomBytes(16).toString('base64')}`,
        `Sec-WebSocket-Protocol: ${options.protocols.join(', ')}`,
        '\r\n',
      ].join('\r\n'),
    );
  }

  /** Resolves when the server took it. */
  static async open(options: LiveClientOptions): Promise<LiveClient> {
    const client = new LiveClient(options);
    await client.#opened.promise;
    return client;
  }

  send(text: string): void {
    this.#write(opcodes.text, Buffer.from(text));
  }

  /** Masked, as clients must; by a mask of zeros, since nobody between could be confused. */
  #write(opcode: number, payload: Buffer): void {
    if (payload.length > 125) throw new RangeError('only short frames are sent');
    this.#socket.write(Buffer.concat([Buffer.from([0x80 | opcode, 0x80 | payload.length, 0, 0, 0, 0]), payload]));
  }

  #receive(chunk: Buffer): void {
    let bytes = this.#rest.length === 0 ? chunk : Buffer.concat([this.#rest, chunk]);
    if (!this.#isOpen) {
      const end = bytes.indexOf('\r\n\r\n');
      if (end >= 0) {
        const head = bytes.toString('latin1', 0, end);
        if (!head.startsWith('HTTP/1.1 101')) {
          this.#lose(head.split('\r\n', 1)[0]!);
          return;
        }
        this.#isOpen = true;
        this.#opened.resolve();
        bytes = bytes.subarray(end + 4);
      }
    }
    let at = 0;
    while (this.#isOpen) {
      const next = this.#frame(bytes, at);
      if (next === undefined) break;
      at = next;
    }
    this.#rest = at === bytes.length ? nothing : Buffer.from(bytes.subarray(at));
  }

  /** Deals with the frame that begins at `at`. @returns where the next one begins; undefined when it is not whole */
  #frame(bytes: Buffer, at: number): number | undefined {
    if (bytes.length < at + 2) return undefined;
    const short = bytes[at + 1]!;
    const head = short < 126 ? 2 : short === 126 ? 4 : 10;
    if (bytes.length < at + head) return undefined;
    const length = head === 2 ? short : head === 4 ? bytes.readUInt16BE(at + 2) : Number(bytes.readBigUInt64BE(at + 2));
    const end = at + head + length;
    if (bytes.length < end) return undefined;
    const payload = bytes.subarray(at + head, end);
    switch (bytes[at]) {
      case 0x80 | opcodes.text:
        this.#options.onText(payload);
        break;
      case 0x80 | opcodes.ping:
        this.#write(opcodes.pong, payload);
        break;
      case 0x80 | opcodes.close:
        this.#lose(`closed: ${payload.subarray(2).toString()}`);
        break;
      default:
        this.#lose(`a frame that begins with ${bytes[at]}`);
    }
    return end;
  }

  #lose(why: string): void {
    this.#opened.reject(new Error(why));
    this.#socket.destroy();
    this.#options.onLost(why);
  }
}
