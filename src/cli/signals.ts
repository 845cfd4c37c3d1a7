/** Waits for the signals that end a server. */
import { exitCodes } from './exit-codes.ts';
import { note } from './output.ts';

/**
 * Resolves with the name of the first SIGINT or SIGTERM. A second Ctrl-C ends the process at once: somebody is in a hurry,
 * and everything must survive that anyway. A second SIGTERM changes nothing, so that `solyx down` may send it to a server
 * that is stopping already.
 */
export function untilSignal(): Promise<NodeJS.Signals> {
  return new Promise((resolve) => {
    let asked = false;
    process.on('SIGTERM', () => {
      asked = true;
      resolve('SIGTERM');
    });
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
