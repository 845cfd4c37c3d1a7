/**
 * Finds what is wrong with a placement in itself, before any database is asked: such a plan is a bug of the planner, and
 * must neither reach a constraint (which would end the whole chunk) nor pass as something that merely no longer fits.
 */
import type { Placement, RankPlacement, RefusedPlacement } from '../../../common/contract/plan.ts';
import { amountNames } from './amounts.ts';

/** What contradicts itself in this placement, as one sentence; undefined when nothing does. */
export function contradiction(placement: Placement): string | undefined {
  if (placement.ranks.length === 0) return 'it has no rank';
  const devices = new Set<string>();
  for (const [rank, wanted] of placement.ranks.entries()) {
    const wrong = wrongInRank(wanted, devices);
    if (wrong !== undefined) return `rank ${rank}: ${wrong}`;
  }
  return undefined;
}

function wrongInRank(rank: RankPlacement, devices: Set<string>): string | undefined {
  for (const name of amountNames) {
    if (!Number.isSafeInteger(rank[name]) || rank[name] < 0) return `${name} is ${rank[name]}`;
  }
  for (const { deviceId, milli } of rank.devices) {
    if (!Number.isInteger(milli) || milli < 1 || milli > 1000) return `device ${deviceId}: ${milli} thousandths`;
    if (devices.has(deviceId)) return `device ${deviceId} is named twice`;
    devices.add(deviceId);
  }
  return undefined;
}

/** Parts a plan into placements that may be tried and those that contradict themselves or name a job again. */
export function sortOut(placements: readonly Placement[]): { sound: Placement[]; refused: RefusedPlacement[] } {
  const sound: Placement[] = [];
  const refused: RefusedPlacement[] = [];
  const jobs = new Set<string>();
  for (const placement of placements) {
    const wrong = jobs.has(placement.jobId) ? 'the plan places this job twice' : contradiction(placement);
    if (wrong === undefined) sound.push(placement);
    else refused.push({ jobId: placement.jobId, code: 'invalid', detail: wrong });
    jobs.add(placement.jobId);
  }
  return { sound, refused };
}
