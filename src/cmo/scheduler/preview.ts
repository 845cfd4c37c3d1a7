/**
 * What would happen to a job if it were submitted now: the same rounds that production plans, on the same quotas, running work and queue.
 */
import type { Clock } from '../../common/clock.ts';
import type { JobSpec } from '../../common/contract/job-spec.ts';
import type { PendingVerdict, Placement, RejectionCode } from '../../common/contract/plan.ts';
import type { PendingReason } from '../../common/contract/states/job.ts';
import type { Database } from '../../common/database/index.ts';
import { CallThread } from '../../common/threads/call-thread.ts';
import type { MoveLimits } from './core/defragment/plan-moves.ts';
import { defaultPolicy } from './core/policy.ts';
import type { Policy } from './core/snapshot.ts';
import { type ProposedMoves, proposeMoves } from './moves.ts';
import { PreviewWorld } from './preview-world.ts';
import { queuedJobOf } from './queued-job.ts';

export interface PreviewAnswer {
  /** Whether it, or every task of an array, would start now. */
  readonly startsNow: boolean;
  /** Why it, or its first task that does not start, would wait; null exactly when it starts now. */
  readonly reason: PendingReason | null;
  readonly message: string;
  readonly rejections: Readonly<Partial<Record<RejectionCode, number>>>;
  /** When it is expected to start, ISO 8601; null when it would start now or nobody knows. */
  readonly expectedAt: string | null;
  /** Jobs of its tenant that wait and go before it by priority and arrival; at most `mostAhead`. */
  readonly ahead: number;
}

/** Whose job it would be. */
export interface PreviewOwner {
  readonly tenant: string;
  /** Id of the project. */
  readonly project: string;
  /** Id of the key. */
  readonly submittedBy: string;
}

/** Answers dry runs in a thread of its own, with its own connection: reading and planning a large fleet takes a while. */
export interface Preview {
  (spec: JobSpec, owner: PreviewOwner): Promise<PreviewAnswer>;
  /** Which running jobs to move so that more of what is free can be used. Moves nothing. */
  moves(limits: MoveLimits): Promise<ProposedMoves>;
  stop(): Promise<void>;
}

/** What the thread is asked. */
export type ThreadCall = PreviewCall | { readonly moves: MoveLimits; readonly now: number };

export interface PreviewCall {
  readonly spec: JobSpec;
  readonly owner: PreviewOwner;
  /** Now, ms since 1970. */
  readonly now: number;
  /** What of the scheduler's policy is not as by default. */
  readonly policy: Partial<Policy>;
}

/** Jobs ahead are counted up to here. */
export const mostAhead = 10_000;
/** Tasks of an array that are tried. */
const mostTasks = 1_000;

/** Makes the function that answers dry runs. @param policy what the scheduler's differs in from the default */
export function createPreview(db: Database, clock: Clock, policy: Partial<Policy> = {}): Preview {
  const thread = new CallThread({
    name: 'preview',
    module: new URL('./worker/preview-thread.ts', import.meta.url),
    workerData: db.logins,
    timeoutSeconds: 20,
    mostWaiting: 500,
  });
  const ask = (spec: JobSpec, owner: PreviewOwner): Promise<PreviewAnswer> =>
    thread.call({ spec, owner, now: clock.now().getTime(), policy } satisfies PreviewCall);
  const moves = (limits: MoveLimits): Promise<ProposedMoves> =>
    thread.call({ moves: limits, now: clock.now().getTime() } satisfies ThreadCall);
  return Object.assign(ask, { moves, stop: () => thread.stop() });
}

/** The thread's end. */
export function previewHere(db: Database): (call: ThreadCall) => Promise<PreviewAnswer | ProposedMoves> {
  const world = new PreviewWorld(db);
  return async (call) => {
    await world.refresh(call.now);
    if ('moves' in call) return proposeMoves(db.system, world.engine.view(), call.moves, call.now);
    const facts = await readFacts(db, call);
    const answer = previewOf(world, call, facts.submitter);
    return { ...withAwaited(answer, facts.awaited), ahead: facts.ahead };
  };
}

interface Facts {
  readonly submitter: string;
  readonly ahead: number;
  /** What it would wait for, in words: jobs that have not come so far yet. */
  readonly awaited: readonly string[];
}

async function readFacts(db: Database, { spec, owner }: PreviewCall): Promise<Facts> {
  const { rows } = await db.system.query<Facts>(
    `select cmo_submitter($1) as submitter,
       (select count(*)::int from (
          select from cmo_jobs where tenant = $2 and state = 'queued' and priority >= $3 limit $4) as before) as ahead,
       array(
         select (d ->> 'job') || ' (' || (d ->> 'when') || ')' from jsonb_array_elements($5::jsonb) as d
         where exists (
           select from cmo_jobs j
           where j.tenant = $2 and (j.id = d ->> 'job' or j.array_id = d ->> 'job')
             and not case d ->> 'when' when 'started' then j.started_at is not null when 'ended' then j.ended_at is not null
                     else j.state = 'succeeded' end)
       ) as awaited`,
    [owner.submittedBy, owner.tenant, spec.priority, mostAhead, JSON.stringify(spec.after)],
  );
  return rows[0]!;
}

function previewOf(world: PreviewWorld, { spec, owner, now, policy }: PreviewCall, submitter: string) {
  const count = Math.min(spec.array?.count ?? 1, mostTasks);
  const deferredUntil = spec.earliestStart === undefined ? null : new Date(spec.earliestStart);
  const jobs = Array.from({ length: count }, (_, i) =>
    queuedJobOf({
      id: `preview_${i}`,
      revision: 0n,
      tenant: owner.tenant,
      project: owner.project,
      priority: spec.priority,
      spec,
      name: spec.name,
      submittedBy: submitter,
      submittedAt: new Date(now),
      deferredUntil,
      pendingReason: 'new',
      arrayId: spec.array === undefined ? null : 'preview',
    }),
  );
  const { placements, pending } = world.engine.tryOut(
    jobs,
    { ...defaultPolicy, ...policy, maxPlacements: 100_000 },
    now,
  );
  return wordsOf(placements, pending, spec.array?.count ?? 1);
}

function wordsOf(
  placements: readonly Placement[],
  pending: readonly PendingVerdict[],
  count: number,
): Omit<PreviewAnswer, 'ahead'> {
  const [placement] = placements;
  const [waiting] = pending;
  if (waiting === undefined && placement !== undefined) {
    const ranks = placement.ranks.length;
    const nodes = `${ranks} ${ranks === 1 ? 'node' : 'nodes'}`;
    const what =
      count === 1
        ? `It would start at once on ${nodes}.`
        : `${placements.length < count ? `The first ${placements.length}` : 'All'} of ${count} tasks would start at once.`;
    const { rejections } = placement.explanation;
    return { startsNow: true, reason: null, message: what, rejections, expectedAt: null };
  }
  const { reason, detail } = waiting!;
  const some =
    placements.length > 0 ? `${placements.length} of ${count} tasks would start at once; of the others: ` : '';
  return {
    startsNow: false,
    reason,
    message: `${some}${detail.message}`,
    rejections: detail.rejections ?? {},
    expectedAt: detail.expectedAt ?? null,
  };
}

function withAwaited(answer: Omit<PreviewAnswer, 'ahead'>, awaited: readonly string[]): Omit<PreviewAnswer, 'ahead'> {
  if (awaited.length === 0) return answer;
  const more = awaited.length > 3 ? ` and ${awaited.length - 3} more` : '';
  const message = `It would wait for ${awaited.slice(0, 3).join(', ')}${more}. By what is free now, then: ${answer.message}`;
  return { ...answer, startsNow: false, reason: 'waits_for_jobs', message, expectedAt: null };
}
