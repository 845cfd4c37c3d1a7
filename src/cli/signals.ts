/** Waits for the signals that end a server. */
import { note } from './output.ts';

/**
 * Resolves with the name of the first SIGINT or SIGTERM. A second one ends the process at once: somebody is in a hurry,
 * and everything must survive that anyway.
 */
export function untilSignal(): Promise<NodeJS.Signals> {
  return new Promise((resolve) => {
    let asked = false;
    for (const signal of ['SIGINT', 'SIGTERM'] as const) {
      process.on(signal, () => {
        if (asked) {
          note('Ending at once.');
          process.exit(130);
        }
        asked = true;
        resolve(signal);
      });
    }
  });
}
