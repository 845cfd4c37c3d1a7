/**
 * Which running jobs of the fleet to move so that more of what is free can be used: `planMoves` on what runs now. It moves nothing.
 *
 * Answered by the thread of dry runs, which holds the fleet already. What is expected to come are the jobs that came last, as rounds take it;
 * their specs, and those of what runs, are read when somebody asks, since nothing else needs them.
 */
import type { JobSpec } from '../../common/contract/job-spec.ts';
import type { Queryable } from '../../common/database/index.ts';
import { LearnedWorkload } from '../../drm/allocator/packing/index.ts';
import { type MovableJob, type MoveLimits, planMoves } from './core/defragment/plan-moves.ts';
import { baseOf } from './core/neighbours/rules.ts';
import type { RunningJob } from './core/running.ts';
import { faultOfShape, shapeOf } from './core/shape.ts';
import type { ExpectedShape, Shape, Snapshot } from './core/snapshot.ts';

/** A move that would be worth it; thousandths of devices. */
export interface ProposedMove {
  readonly jobId: string;
  readonly fromNodeId: string;
  readonly toNodeId: string;
  readonly movedMilli: number;
  readonly usefulMilli: number;
  /** Seconds that it ran since its last checkpoint, or since its start without one: they would be run again. */
  readonly lostSeconds: number;
  /** When it is expected to end where it is, epoch milliseconds; null: nobody knows. */
  readonly endsAt: number | null;
}

export interface ProposedMoves {
  readonly moves: readonly ProposedMove[];
  readonly movedMilli: number;
  readonly usefulMilli: number;
  readonly uselessMilli: number;
  /** Jobs that hold something, and those of them that were considered. */
  readonly running: number;
  readonly considered: number;
  /** Why nothing is proposed; null when something is. */
  readonly message: string | null;
}

/** Jobs that came last and stand for those that will come. */
const mostArrivals = 1_000;
/** Jobs that are considered, oldest first: reading and judging so many takes seconds. */
export const mostConsidered = 10_000;
const pageSize = 500;

/**
 * Plans moves on what is.
 * @param now epoch milliseconds
 */
export async function proposeMoves(
  db: Queryable,
  snapshot: Snapshot,
  limits: MoveLimits,
  now: number,
): Promise<ProposedMoves> {
  const running = snapshot.running ?? [];
  const candidates = movable(running);
  const specs = await readSpecs(
    db,
    candidates.map(({ id }) => id),
  );
  const jobs = candidates.flatMap((job): MovableJob[] => {
    const shape = specs.get(job.id);
    // What stands by rules about other jobs would have to be judged with them.
    if (shape === undefined || shape.neighbours !== undefined) return [];
    return [{ id: job.id, shape, rank: job.ranks[0]! }];
  });
  const workload = await readWorkload(db);
  const plan = planMoves(snapshot, workload, jobs, limits);
  const byId = new Map(candidates.map((job) => [job.id, job]));
  const moves = plan.moves.map(({ jobId, fromNodeId, to, movedMilli, usefulMilli }) => {
    const { checkpointAt, startedAt, endsAt } = byId.get(jobId)!;
    const lostSeconds = Math.max(0, now - (checkpointAt ?? startedAt)) / 1000;
    return { jobId, fromNodeId, toNodeId: to.nodeId, movedMilli, usefulMilli, lostSeconds, endsAt };
  });
  const message = moves.length > 0 ? null : whyNone(running.length, jobs.length, workload.length, limits);
  const { movedMilli, usefulMilli, uselessMilli } = plan;
  return { moves, movedMilli, usefulMilli, uselessMilli, running: running.length, considered: jobs.length, message };
}

/** Jobs of one rank with devices, that are not being ended, of tenants without jobs that keep others away from where they stand. */
function movable(running: readonly RunningJob[]): RunningJob[] {
  const keepsApart = new Set(running.flatMap(({ tenant, apart }) => (apart === undefined ? [] : [tenant])));
  return running
    .filter(
      ({ tenant, ranks, stopping }) =>
        stopping === null && ranks.length === 1 && ranks[0]!.devices.length > 0 && !keepsApart.has(tenant),
    )
    .sort((a, b) => (a.id < b.id ? -1 : 1))
    .slice(0, mostConsidered);
}

async function readSpecs(db: Queryable, ids: readonly string[]): Promise<Map<string, Shape>> {
  const found = new Map<string, Shape>();
  for (let from = 0; from < ids.length; from += pageSize) {
    const { rows } = await db.query<{ id: string; spec: JobSpec }>(
      'select id, spec from cmo_jobs where id = any($1::text[])',
      [ids.slice(from, from + pageSize)],
    );
    for (const { id, spec } of rows) {
      const shape = readableShape(spec);
      if (shape !== undefined) found.set(id, shape);
    }
  }
  return found;
}

/** The shapes of the newest jobs, whatever became of them. */
async function readWorkload(db: Queryable): Promise<readonly ExpectedShape[]> {
  const { rows } = await db.query<{ spec: JobSpec }>('select spec from cmo_jobs order by id desc limit $1', [
    mostArrivals,
  ]);
  const learned = new LearnedWorkload<Shape>();
  for (const { spec } of rows.reverse()) {
    const shape = readableShape(spec);
    if (shape !== undefined) learned.observe(baseOf(shape).key, baseOf(shape));
  }
  return learned.shares();
}

/** Undefined for one that cannot be read (edited by hand, of another release): such a job is left where it is. */
function readableShape(spec: JobSpec): Shape | undefined {
  try {
    const shape = shapeOf(spec);
    return faultOfShape(shape) === undefined ? shape : undefined;
  } catch {
    return undefined;
  }
}

function whyNone(running: number, considered: number, expected: number, { mostMoves, leastWorth }: MoveLimits): string {
  if (mostMoves === 0) return 'No move was asked for.';
  if (running === 0) return 'Nothing runs.';
  if (expected === 0) return 'Nothing is known of the jobs that come, so nothing is more useful than anything else.';
  if (considered === 0) {
    return 'Nothing that runs can be moved: only jobs on one node that hold devices are, and none with rules about other jobs.';
  }
  const least = leastWorth > 0 ? `at least ${leastWorth / 1000} of a device` : 'anything';
  return `Nothing is worth moving: no move makes ${least} useful for each device that is moved.`;
}
