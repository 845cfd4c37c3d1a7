/** A queued job's row as the scheduler's core knows it. */
import type { PendingJobRow } from '../jobs/index.ts';
import { shapeOf } from './core/shape.ts';
import type { Shape } from './core/snapshot.ts';
import { traitsOfSpec } from './job-traits.ts';
import type { QueuedJob } from './worker/messages.ts';

/** What of a row the worker needs; the spec itself stays behind. */
export function queuedJobOf(row: PendingJobRow): QueuedJob {
  const notBefore = row.deferredUntil?.getTime() ?? 0;
  const deadline = Date.parse(row.spec.deadline ?? '');
  return {
    reason: row.pendingReason,
    traits: traitsOfSpec(row.spec, row.submittedBy, row.name),
    job: {
      id: row.id,
      revision: row.revision,
      tenant: row.tenant,
      project: row.project,
      user: row.submittedBy,
      shape: shapeOfRow(row),
      priority: row.priority,
      submittedAt: row.submittedAt.getTime(),
      notBefore,
      notBeforeReason:
        notBefore === 0 ? null : row.pendingReason === 'retry_backoff' ? 'retry_backoff' : 'earliest_start',
      ...(Number.isNaN(deadline) ? {} : { deadline }),
    },
  };
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
