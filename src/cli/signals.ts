/** Waits for the signals that end a server. */
import { exitCodes } from './exit-codes.ts';
import { note } from './output.ts';

/**
 * Resolves with the name of the first SIGINT, SIGTERM or SIGHUP (the terminal was closed). A second Ctrl-C ends the process at once: somebody is in a hurry,
 * and everything must survive that anyway. A second SIGTERM changes nothing, so that `solyx down` may send it to a server
 * that is stopping already.
 */
export function untilSignal(): Promise<NodeJS.Signals> {
  // A server goes on when nobody reads any more what it says.
  for (const stream of [process.stdout, process.stderr]) stream.removeAllListeners('error').on('error', () => {});
  return new Promise((resolve) => {
    let asked = false;
    for (const signal of ['SIGTERM', 'SIGHUP'] as const) {
      process.on(signal, () => {
        asked = true;
        resolve(signal);
      });
    }
    process.on('SIGINT', () => {
      if (asked) {
        note('Ending at once.');
        process.exit(exitCodes.interrupted.code);
      }
      asked = true;
      resolve('SIGINT');
    });
  });
}
