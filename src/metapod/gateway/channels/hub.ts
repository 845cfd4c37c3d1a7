/**
 * Where a client that waits and the agent's socket meet: one in each process.
 *
 * The server that a client asked writes what it wants into a row and waits here. The agent comes to whichever server it reaches; if
 * that is another one, it hands the socket on by a WebSocket between the two (`upgrades.ts`). On a single server, the usual case,
 * the two just meet.
 */
import type { WebSocket } from 'ws';
import { claimSeconds } from './rows.ts';

interface Waiting {
  readonly resolve: (socket: WebSocket) => void;
  readonly timer: NodeJS.Timeout;
}

export class ChannelHub {
  /** Id of this process; what rows call the holder. */
  readonly id: string;
  /** Where other servers of the installation reach this process; undefined until it listens. */
  url: string | undefined;
  /** The certificate (PEM) that it shows them; undefined for plain HTTP. Asked anew for each channel, for it may be renewed. */
  certificate: () => string | undefined = () => undefined;
  readonly #waiting = new Map<string, Waiting>();

  constructor(id: string) {
    this.id = id;
  }

  /**
   * Waits for the agent's socket of a channel; begin before anybody can know of the channel.
   * @returns undefined when it does not come in time, or `signal` is aborted
   */
  wait(channelId: string, signal: AbortSignal): Promise<WebSocket | undefined> {
    return new Promise((resolve) => {
      const stop = () => finish(undefined);
      const finish = (socket: WebSocket | undefined) => {
        clearTimeout(timer);
        signal.removeEventListener('abort', stop);
        this.#waiting.delete(channelId);
        resolve(socket);
      };
      const timer = setTimeout(stop, claimSeconds * 1000);
      this.#waiting.set(channelId, { resolve: finish, timer });
      if (signal.aborted) stop();
      else signal.addEventListener('abort', stop, { once: true });
    });
  }

  /** Whether somebody here waits for this channel. */
  expects(channelId: string): boolean {
    return this.#waiting.has(channelId);
  }

  /** Hands the agent's socket to who waits. The caller must not have missed a message of it. @returns whether somebody waited */
  meet(channelId: string, socket: WebSocket): boolean {
    const waiting = this.#waiting.get(channelId);
    if (waiting === undefined) return false;
    waiting.resolve(socket);
    return true;
  }
}
