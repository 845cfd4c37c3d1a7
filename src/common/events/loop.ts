/**
 * A level-triggered loop: a round looks at what is and does what is due, whatever it was woken for.
 *
 * Rounds never overlap. Wake-ups during a round are one more round after it. Without any, a round comes at the re-sync, so that a
 * lost wake-up costs seconds and nothing else. A round that fails is logged and repeated after a growing, jittered pause.
 */

import { backoffMs } from '../database/retry.ts';
import type { Logger } from '../logger.ts';
import type { Wake } from './wake.ts';

export interface LoopOptions {
  /** For logs. */
  readonly name: string;
  /** Topics that wake it, on `wake`. */
  readonly wakeOn: readonly string[];
  readonly wake: Wake;
  /** Longest pause between rounds, seconds, more than 0 and at most 30; default 30. */
  readonly resyncSeconds?: number;
  /** One round. Gets a signal that is aborted when the loop is told to stop. */
  readonly run: (signal: AbortSignal) => Promise<void>;
  /** Stops the loop when aborted. */
  readonly signal?: AbortSignal;
  readonly logger: Logger;
}

export interface Loop {
  /** Asks for a round now. */
  wake(): void;
  /** No further rounds; resolves when the running one has ended. */
  stop(): Promise<void>;
}

const longestResyncSeconds = 30;
const longestPauseMs = 10_000;

/** Starts a loop; its first round begins at once. */
export function runLoop(options: LoopOptions): Loop {
  const resyncSeconds = options.resyncSeconds ?? longestResyncSeconds;
  if (!(resyncSeconds > 0 && resyncSeconds <= longestResyncSeconds)) {
    throw new RangeError(`${options.name}: resyncSeconds must be in (0, ${longestResyncSeconds}]`);
  }
  const stopping = new AbortController();
  let woken = true;
  let rouse: (() => void) | undefined;

  const wake = () => {
    woken = true;
    rouse?.();
  };
  const stop = () => {
    stopping.abort();
    rouse?.();
    return ended;
  };
  const unsubscribe = options.wakeOn.map((topic) => options.wake.on(topic, wake));
  const onAbort = () => void stop();

  async function rounds(): Promise<void> {
    let failures = 0;
    while (!stopping.signal.aborted) {
      if (!woken) {
        await sleep(resyncSeconds * 1000, () => woken || stopping.signal.aborted);
        if (stopping.signal.aborted) return;
      }
      woken = false;
      try {
        await options.run(stopping.signal);
        failures = 0;
      } catch (error) {
        if (stopping.signal.aborted) return;
        failures += 1;
        options.logger.error({ err: error, loop: options.name, failures }, 'a round failed; it will be repeated');
        // A wake-up does not shorten this pause: what fails at once would otherwise spin.
        await sleep(backoffMs(failures, longestPauseMs), () => stopping.signal.aborted);
        woken = true;
      }
    }
  }

  /** Waits until `enough`, asked at every wake-up, or the time is over. */
  async function sleep(ms: number, enough: () => boolean): Promise<void> {
    if (enough()) return;
    await new Promise<void>((resolve) => {
      const timer = setTimeout(resolve, ms);
      rouse = () => {
        if (!enough()) return;
        clearTimeout(timer);
        resolve();
      };
    });
    rouse = undefined;
  }

  const ended = rounds().finally(() => {
    for (const off of unsubscribe) off();
    options.signal?.removeEventListener('abort', onAbort);
  });
  if (options.signal?.aborted) onAbort();
  else options.signal?.addEventListener('abort', onAbort, { once: true });
  return { wake, stop };
}
