/** Waiting for a stream that is full, as often as it is full: nothing of a wait stays on the stream when the wait is over. */
import type { Writable } from 'node:stream';

/** Resolves when the stream takes bytes again, or never will because it is closed. */
export function roomIn(stream: Writable): Promise<void> {
  if (stream.closed || !stream.writableNeedDrain) return Promise.resolve();
  return new Promise((resolve) => {
    const settle = () => {
      stream.off('drain', settle).off('close', settle);
      resolve();
    };
    stream.on('drain', settle).on('close', settle);
  });
}
