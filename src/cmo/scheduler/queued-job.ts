/** A queued job's row as the scheduler's core knows it. */
import type { JobSpec } from '../../common/contract/job-spec.ts';
import type { PendingJobRow } from '../jobs/index.ts';
import { shapeOf } from './core/shape.ts';
import type { PendingJob, Shape } from './core/snapshot.ts';
import { type JobTraits, traitsOf, traitsOfSpec } from './job-traits.ts';
import type { QueuedJob } from './worker/messages.ts';

/**
 * Some ids with what the worker needs of their rows, null for those without one. The tasks of an array that wait alike come as one: their specs
 * are equal, since a spec is never changed once it was taken in.
 */
export function queuedJobsOf(
  ids: readonly string[],
  rows: readonly PendingJobRow[],
): (readonly [id: string, row: QueuedJob | null])[] {
  const found = new Set(rows.map(({ id }) => id));
  const result: [string, QueuedJob | null][] = ids.filter((id) => !found.has(id)).map((id) => [id, null]);
  const arrays = new Map<string, string[]>();
  for (const row of rows) {
    const { id, arrayId, revision, priority, pendingReason, submittedAt, deferredUntil, submittedBy } = row;
    if (arrayId === null) {
      result.push([id, queuedJobOf(row)]);
      continue;
    }
    const key = `${arrayId} ${revision} ${priority} ${pendingReason} ${Number(submittedAt)} ${Number(deferredUntil)} ${submittedBy}`;
    const alike = arrays.get(key);
    if (alike !== undefined) {
      alike.push(id);
      continue;
    }
    const others: string[] = [];
    arrays.set(key, others);
    result.push([id, { ...queuedJobOf(row), alike: others }]);
  }
  return result;
}

/** What of a row the worker needs; the spec itself stays behind. */
export function queuedJobOf(row: PendingJobRow): QueuedJob {
  const notBefore = row.deferredUntil?.getTime() ?? 0;
  const { deadline, traits } = factsOf(row);
  const shape = shapeOfRow(row);
  return {
    reason: row.pendingReason,
    traits,
    job: {
      id: row.id,
      revision: row.revision,
      tenant: row.tenant,
      project: row.project,
      user: row.submittedBy,
      shape,
      priority: row.priority,
      submittedAt: row.submittedAt.getTime(),
      notBefore,
      notBeforeReason:
        notBefore === 0 ? null : row.pendingReason === 'retry_backoff' ? 'retry_backoff' : 'earliest_start',
      ...(Number.isNaN(deadline) ? {} : { deadline }),
      ...neighbourFacts(shape, row),
    },
  };
}

/** By what other jobs find it; most jobs have nothing of it. */
function neighbourFacts(shape: Shape, { spec, arrayId }: PendingJobRow): Pick<PendingJob, 'labels' | 'array'> {
  const labels = spec.labels as JobSpec['labels'] | undefined;
  return {
    ...(labels === undefined || Object.keys(labels).length === 0 ? {} : { labels }),
    ...(shape.neighbours?.spread === undefined || arrayId === null ? {} : { array: arrayId }),
  };
}

/** What the spec says of time. One that cannot be read says nothing. */
function factsOf({ spec, submittedBy, name }: PendingJobRow): { deadline: number; traits: JobTraits } {
  try {
    return { deadline: Date.parse(spec.deadline ?? ''), traits: traitsOfSpec(spec, submittedBy, name) };
  } catch {
    const nothing = { user: submittedBy, name, devices: 0, cores: 1, runSeconds: null };
    return { deadline: Number.NaN, traits: traitsOf(nothing) };
  }
}

/** A spec that cannot be read (edited by hand, of another release) must not stop the others: its shape is one that never fits. */
function shapeOfRow(row: PendingJobRow): Shape {
  try {
    return shapeOf(row.spec);
  } catch {
    const resources = {
      cpuMilli: Number.NaN,
      memoryBytes: 0,
      diskBytes: 0,
      sharedMemoryBytes: 0,
      deviceAlternatives: [],
      nodes: 1,
    };
    return { key: 'unreadable', resources, isolation: 'node', network: 'none', maxUsdPerHour: 0 };
  }
}
