/** Replays a recorded round with the code as it is now: the plan must be the same, or somebody changed how decisions are made. */
import { readFile } from 'node:fs/promises';
import { isDeepStrictEqual } from 'node:util';
import type { Plan } from '../../../common/contract/plan.ts';
import { schedule } from '../core/schedule.ts';
import { decodeRound, sorted } from './round-file.ts';

export interface Replay {
  readonly recorded: Plan;
  readonly replayed: Plan;
  readonly identical: boolean;
}

/**
 * Plans a recorded round again.
 * @throws when the file cannot be read or is not a recorded round
 */
export async function replayRound(file: string): Promise<Replay> {
  const { snapshot, jobs, policy, now, round, plan } = decodeRound(await readFile(file, 'utf8'));
  const replayed = sorted(schedule(snapshot, jobs, policy, now, round));
  return { recorded: plan, replayed, identical: isDeepStrictEqual(replayed, plan) };
}
