/**
 * Commits one chunk of a plan inside one transaction: jobs are claimed, capacity is locked and looked at again, and what still
 * fits becomes allocations and attempts. Everything else is refused with a code; nothing is half given.
 */
import type { CommitResult, Placement, RefusedPlacement } from '../../common/contract/plan.ts';
import { newId } from '../../common/ids.ts';
import type { AttemptLedger } from './ledger.ts';
import { takeFitting } from './packing/fit.ts';
import type { CapacitySession, NewAllocation } from './store.ts';

/** @param placements sound ones, each of another job, in plan order */
export async function commitChunk<T>(
  tx: T,
  session: CapacitySession,
  ledger: AttemptLedger<T>,
  placements: readonly Placement[],
): Promise<CommitResult> {
  const claimed = await ledger.claim(
    tx,
    placements.map(({ jobId, jobRevision }) => ({ jobId, revision: jobRevision })),
  );
  const refused: RefusedPlacement[] = placements
    .filter(({ jobId }) => !claimed.has(jobId))
    .map(({ jobId }) => ({
      jobId,
      code: 'job_changed',
      detail: 'it is no longer queued as planned, or is being changed right now',
    }));
  const planned = placements.filter(({ jobId }) => claimed.has(jobId));
  if (planned.length === 0) return { committed: [], refused };

  const ranks = planned.flatMap((placement) => placement.ranks);
  const locked = await session.lock(
    distinct(ranks.map(({ nodeId }) => nodeId)),
    distinct(ranks.flatMap(({ devices }) => devices.map(({ deviceId }) => deviceId))),
  );
  const bound = planned.filter(({ neighbours }) => neighbours !== undefined);
  const items = bound.map((placement) => ({ placement, tenant: claimed.get(placement.jobId)!.tenant }));
  const conflicts = (bound.length > 0 && (await ledger.conflicts?.(tx, items))) || new Map<string, string>();
  for (const { jobId } of bound) {
    const detail = conflicts.get(jobId);
    if (detail !== undefined) refused.push({ jobId, code: 'capacity_taken', detail });
  }
  const wanted = planned.filter(({ jobId }) => !conflicts.has(jobId));
  const { accepted, refused: unfit } = takeFitting(wanted, locked);
  refused.push(...unfit);
  if (accepted.length === 0) return { committed: [], refused };

  const given = accepted.map((placement) => ({
    placement,
    tenant: claimed.get(placement.jobId)!.tenant,
    backend: locked.nodes.get(placement.ranks[0]!.nodeId)!.backend,
  }));
  const attempts = await ledger.create(tx, given);
  const allocations = given.map(({ placement, tenant }): NewAllocation => {
    const attempt = attempts.get(placement.jobId);
    if (!attempt) throw new Error(`the ledger made no attempt of claimed job ${placement.jobId}`);
    return { id: newId('allocation'), tenant, placement, ...attempt };
  });
  await session.insertAllocations(allocations);
  const taken = accepted.flatMap((placement) => placement.ranks);
  await session.writeUsed(
    distinct(taken.map(({ nodeId }) => nodeId)).map((id) => locked.nodes.get(id)!),
    taken.flatMap(({ devices }) => devices.map(({ deviceId }) => deviceId)).map((id) => locked.devices.get(id)!),
  );
  const committed = allocations.map(({ id, attemptId, token, placement }) => ({
    jobId: placement.jobId,
    attemptId,
    allocationId: id,
    token,
  }));
  return { committed, refused };
}

const distinct = (ids: readonly string[]): string[] => [...new Set(ids)];
