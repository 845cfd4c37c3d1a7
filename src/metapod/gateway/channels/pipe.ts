/**
 * Passes messages between two WebSockets as they are, no faster than the slower one takes them, and lets one end with the other.
 */
import { WebSocket } from 'ws';
import { closeSocket } from '../../../common/channels/index.ts';

/** Unsent bytes on one side at which the other is not read any more, and at which it is again. */
const marks = { high: 1_048_576, low: 262_144 } as const;

export interface PipeOptions {
  /** Sees every message before it is passed on; false keeps it back. */
  readonly onMessage?: (from: 'a' | 'b', message: Buffer) => boolean;
  /** Either side is gone; called once, before the other is closed. */
  readonly onClosed?: (by: 'a' | 'b', code: number, reason: string) => void;
}

/**
 * Connects two open sockets. Frames are binary; anything else ends both.
 * @param early messages of `a` that came before
 */
export function pipeSockets(
  a: WebSocket,
  b: WebSocket,
  options: PipeOptions = {},
  early: readonly Buffer[] = [],
): void {
  let over = false;
  const join = (from: WebSocket, to: WebSocket, name: 'a' | 'b') => {
    const pass = (message: Buffer) => {
      if (options.onMessage?.(name, message) === false || to.readyState !== WebSocket.OPEN) return;
      to.send(message, () => {
        if (from.isPaused && to.bufferedAmount <= marks.low) from.resume();
      });
      if (to.bufferedAmount > marks.high) from.pause();
    };
    if (name === 'a') for (const message of early) pass(message);
    from.on('message', (message: Buffer, isBinary) => {
      if (isBinary) pass(message);
      else closeSocket(from, 1003, 'frames are binary');
    });
    from.on('error', () => from.terminate());
    from.once('close', (code, reason) => {
      const text = reason.toString();
      if (!over) {
        over = true;
        options.onClosed?.(name, code, text);
      }
      // What was sent before the end still goes through: closing comes after it in the same socket.
      closeSocket(to, sendable(code), text || 'the other side is gone');
    });
  };
  join(a, b, 'a');
  join(b, a, 'b');
  for (const side of [a, b]) if (side.isPaused) side.resume();
  // Gone before we listened.
  for (const [side, other] of [
    [a, b],
    [b, a],
  ] as const)
    if (side.readyState === WebSocket.CLOSED) other.terminate();
}

/** 1005, 1006 and 1015 say that no code came; they cannot be sent. */
const sendable = (code: number): number => (code === 1000 || (code >= 3000 && code < 5000) ? code : 1011);
