/** Messages of a client that came before its agent's socket is there. It is not read meanwhile, but some are in memory already. */
import type { WebSocket } from 'ws';
import { closeSocket, windowBytes } from '../../../common/channels/index.ts';

const firstMs = 10_000;

export class EarlyMessages {
  readonly #socket: WebSocket;
  readonly #kept: Buffer[] = [];
  #bytes = 0;
  #notify: () => void = () => {};

  /** Begins to listen; call it in the turn in which the socket opened. */
  constructor(socket: WebSocket) {
    this.#socket = socket;
    socket.on('message', this.#keep);
  }

  /** The first message; undefined when none comes within ten seconds or the socket is gone. Then the socket is not read any more. */
  async first(): Promise<Buffer | undefined> {
    if (this.#kept.length === 0) {
      await new Promise<void>((resolve) => {
        const timer = setTimeout(resolve, firstMs);
        this.#notify = () => {
          clearTimeout(timer);
          resolve();
        };
        this.#socket.once('close', this.#notify);
      });
    }
    this.#socket.pause();
    return this.#kept.shift();
  }

  /** Hands over what came and stops listening. */
  release(): Buffer[] {
    this.#socket.off('message', this.#keep);
    return this.#kept;
  }

  readonly #keep = (message: Buffer, isBinary: boolean): void => {
    this.#bytes += message.length;
    if (!isBinary) closeSocket(this.#socket, 1003, 'frames are binary');
    else if (this.#bytes > 2 * windowBytes) closeSocket(this.#socket, 1009, 'too much came before `ready`');
    else {
      this.#kept.push(message);
      this.#notify();
    }
  };
}
