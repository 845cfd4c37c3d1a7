/**
 * By what work a job is ordered: expected work, and for the first of an unknown kind the work of a wager (the product's, `prediction/wager.ts`).
 *
 * Least expected work first (devices × expected seconds) minimises the mean waiting time among orders that cannot see the
 * future (Smith's rule with unit weights on a machine that is shared by size; Rothkopf 1966 for expected times).
 * Waiting longer than one's work deserves is bounded elsewhere (`starvation.ts`).
 */
import type { Distribution } from '../../../src/cmo/scheduler/prediction/distribution.ts';
import { wagerSeconds } from '../../../src/cmo/scheduler/prediction/wager.ts';

/**
 * Expected work per completed job when `waiting` equal jobs of an unknown kind wait and one is started to find out.
 * @param waiting how many wait, ≥ 1, this one included
 */
export function probeWork(distribution: Distribution, size: number, waiting: number): number {
  return size * wagerSeconds(distribution, waiting);
}
