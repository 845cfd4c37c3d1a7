/** What a check of `solyx doctor` is: a question with an answer, and where the answer is bad, its cure. */

import type { Config } from '../../common/config/index.ts';
import type { Client } from '../../common/contract/client.ts';

/** `skipped`: it cannot be asked now, and `found` says why. */
export type Verdict = 'ok' | 'warning' | 'failed' | 'skipped';

export interface Finding {
  /** Stable name, such as `disk.free`. */
  readonly check: string;
  readonly verdict: Verdict;
  /** One sentence: what is. */
  readonly found: string;
  /** One sentence or command: what makes it right; with `warning` and `failed`. */
  readonly cure?: string;
}

/** What checks look at. */
export interface Patient {
  readonly home: string;
  /** Undefined when the configuration itself is not valid. */
  readonly config: Config | undefined;
  /** Undefined when no server answers. */
  readonly client: Client | undefined;
  /** Why there is no client. */
  readonly clientMissing: string | undefined;
}

/** A group of checks. Never throws for what it finds; what it throws becomes a finding of its own. */
export type Check = (patient: Patient) => Promise<Finding[]>;

export const ok = (check: string, found: string): Finding => ({ check, verdict: 'ok', found });
export const skipped = (check: string, found: string): Finding => ({ check, verdict: 'skipped', found });
export const warning = (check: string, found: string, cure: string): Finding => ({
  check,
  verdict: 'warning',
  found,
  cure,
});
export const failed = (check: string, found: string, cure: string): Finding => ({
  check,
  verdict: 'failed',
  found,
  cure,
});
