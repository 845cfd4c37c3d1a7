/**
 * What would happen to a job if it were submitted now, alone in the queue: the same function that production runs.
 *
 * Answers on a copy of the fleet that is at most a few seconds old, so that a flood of dry runs does not read the fleet each time.
 */
import type { Clock } from '../../common/clock.ts';
import type { JobSpec } from '../../common/contract/job-spec.ts';
import type { RejectionCode } from '../../common/contract/plan.ts';
import type { PendingReason } from '../../common/contract/states/job.ts';
import { type Database, withSystem } from '../../common/database/index.ts';
import { CallThread } from '../../common/threads/call-thread.ts';
import { readFleet, readFleetSites } from '../../drm/tracker/index.ts';
import { defaultPolicy } from './core/policy.ts';
import { schedule } from './core/schedule.ts';
import { shapeOf } from './core/shape.ts';
import type { Snapshot } from './core/snapshot.ts';
import { readRevisions } from './queries.ts';
import { SnapshotStore } from './state/snapshot-store.ts';

export interface PreviewAnswer {
  readonly startsNow: boolean;
  /** Why it would wait; null exactly when it starts now. */
  readonly reason: PendingReason | null;
  readonly message: string;
  readonly rejections: Readonly<Partial<Record<RejectionCode, number>>>;
}

const pageSize = 200;
const freshMs = 2_000;

/** Answers dry runs in a thread of its own, with its own connection: reading and planning a large fleet takes a while. */
export interface Preview {
  (spec: JobSpec): Promise<PreviewAnswer>;
  stop(): Promise<void>;
}

/** What the thread is given. */
export interface PreviewCall {
  readonly spec: JobSpec;
  /** Now, ms since 1970. */
  readonly now: number;
}

/** Makes the function that answers dry runs. */
export function createPreview(db: Database, clock: Clock): Preview {
  const thread = new CallThread({
    name: 'preview',
    module: new URL('./worker/preview-thread.ts', import.meta.url),
    workerData: db.logins,
    timeoutSeconds: 20,
    mostWaiting: 500,
  });
  const ask = (spec: JobSpec): Promise<PreviewAnswer> =>
    thread.call({ spec, now: clock.now().getTime() } satisfies PreviewCall);
  return Object.assign(ask, { stop: () => thread.stop() });
}

/** The thread's end: keeps its copy of the fleet for two seconds. */
export function previewHere(db: Database): (call: PreviewCall) => Promise<PreviewAnswer> {
  let fleet: { readonly snapshot: Snapshot; readonly at: number } | undefined;
  return async ({ spec, now }) => {
    if (fleet === undefined || performance.now() - fleet.at >= freshMs) {
      const at = performance.now();
      fleet = { snapshot: await readSnapshot(db), at };
    }
    return previewOf(fleet.snapshot, spec, now);
  };
}

function previewOf(snapshot: Snapshot, spec: JobSpec, now: number): PreviewAnswer {
  const notBefore = spec.earliestStart === undefined ? 0 : Date.parse(spec.earliestStart);
  const job = {
    id: 'preview',
    revision: 0n,
    tenant: '',
    project: '',
    shape: shapeOf(spec),
    priority: spec.priority,
    submittedAt: now,
    notBefore,
    notBeforeReason: notBefore > 0 ? ('earliest_start' as const) : null,
  };
  const { placements, pending } = schedule(snapshot, [job], defaultPolicy, now);
  const [placement] = placements;
  if (placement !== undefined) {
    const nodes = placement.ranks.length === 1 ? '1 node' : `${placement.ranks.length} nodes`;
    return {
      startsNow: true,
      reason: null,
      message: `It would start at once on ${nodes}.`,
      rejections: placement.explanation.rejections,
    };
  }
  const { reason, detail } = pending[0]!;
  return { startsNow: false, reason, message: detail.message, rejections: detail.rejections ?? {} };
}

async function readSnapshot(db: Database): Promise<Snapshot> {
  const store = new SnapshotStore();
  for (const kind of ['site', 'node'] as const) {
    for (let after: string | undefined = ''; after !== undefined; ) {
      const from: string = after;
      const ids = await withSystem(db, async (tx) => {
        const page = (await readRevisions(tx, kind, from, pageSize)).map(([id]) => id);
        const sites = kind === 'site' ? await readFleetSites(tx, page) : [];
        const nodes = kind === 'node' ? await readFleet(tx, page) : [];
        store.apply({
          sites: new Map(sites.map((row) => [row.id, row])),
          nodes: new Map(nodes.map((row) => [row.id, row])),
        });
        return page;
      });
      after = ids.at(-1);
    }
  }
  return store.snapshot;
}
