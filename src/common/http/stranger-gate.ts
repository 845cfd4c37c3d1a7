/**
 * Keeps those who guess keys from costing us work, without shutting out the others who come from the same address: behind a
 * proxy or a company's router everybody has one.
 *
 * An address that failed too often is not refused, it is put into a short line: its keys are looked up one after the other, in one
 * connection's worth of work for the whole process. Keys that were right lately pass by the line. Wrong ones are answered
 * `rate_limited`, and so is whoever finds the line full.
 */
import { createHash } from 'node:crypto';
import { SolyxError } from '../errors/index.ts';
import type { TokenBuckets } from './rate-limit.ts';

/** Most that stand in the line. */
const longestLine = 16;
/** Credentials that were right lately; the oldest are forgotten. */
const mostFamiliar = 10_000;

export class StrangerGate {
  readonly #failures: TokenBuckets;
  /** Hashes of credentials. */
  readonly #familiar = new Set<string>();
  #line: Promise<unknown> = Promise.resolve();
  #standing = 0;

  /** @param failures how often an address may fail */
  constructor(failures: TokenBuckets) {
    this.#failures = failures;
  }

  /**
   * Checks a credential.
   * @param address of who shows it
   * @param credential what is shown, when it may be shown again
   * @param check finds what it opens; its 401 counts as a failure of the address
   * @throws rate_limited instead of a 401 when the address failed too often, and whatever `check` throws
   */
  async pass<T>(address: string, credential: string | undefined, check: () => Promise<T>): Promise<T> {
    const name = credential === undefined ? '' : createHash('sha256').update(credential).digest('base64');
    const waitSeconds = this.#failures.wait(address);
    try {
      const found =
        waitSeconds > 0 && !this.#familiar.has(name) ? await this.#inLine(waitSeconds, check) : await check();
      this.#remember(name);
      return found;
    } catch (error) {
      if (!(error instanceof SolyxError) || error.status !== 401) throw error;
      this.#familiar.delete(name);
      if (waitSeconds > 0) throw new SolyxError('rate_limited', { retryAfterSeconds: waitSeconds });
      this.#failures.take(address);
      throw error;
    }
  }

  async #inLine<T>(waitSeconds: number, check: () => Promise<T>): Promise<T> {
    if (this.#standing >= longestLine) throw new SolyxError('rate_limited', { retryAfterSeconds: waitSeconds });
    this.#standing += 1;
    const before = this.#line;
    const turn = before.then(check, check);
    this.#line = turn.catch(() => {});
    return turn.finally(() => {
      this.#standing -= 1;
    });
  }

  #remember(name: string): void {
    if (name === '') return;
    this.#familiar.delete(name);
    this.#familiar.add(name);
    if (this.#familiar.size > mostFamiliar) this.#familiar.delete(this.#familiar.values().next().value!);
  }
}
