/**
 * Takes jobs in. One statement however many, since arrays of 10,000 tasks come in one request; the caller's transaction
 * makes the jobs, their labels, events and dirty keys durable together or not at all.
 */
import type { JobSpec } from '../../common/contract/job-spec.ts';
import type { Transaction } from '../../common/database/queryable.ts';
import { appendEvents, writeDirty } from '../../common/events/index.ts';
import { newId } from '../../common/ids.ts';

export interface NewJob {
  readonly tenant: string;
  /** Id of the project. */
  readonly project: string;
  readonly spec: JobSpec;
  /** Id of the API key that asked. */
  readonly submittedBy: string;
}

export interface InsertedJob {
  readonly id: string;
  readonly arrayId: string | null;
  readonly arrayIndex: number | null;
}

/**
 * Inserts a job, or one per task of an array, as `queued` with reason `new`.
 * @returns the new ids, in array order
 */
export async function insertJob(tx: Transaction, job: NewJob): Promise<InsertedJob[]> {
  const { spec, tenant } = job;
  const arrayId = spec.array ? newId('array') : null;
  const jobs = Array.from({ length: spec.array?.count ?? 1 }, (_, index) => ({
    id: newId('job') as string,
    arrayId,
    arrayIndex: arrayId === null ? null : index,
  }));
  const ids = jobs.map(({ id }) => id);
  await tx.query(
    `insert into cmo_jobs (id, tenant, project, name, pending_reason, priority, spec, array_id, array_index,
                           deferred_until, queue_deadline, submitted_by)
     select id, $3, $4, $5, 'new', $6, $7, $8, index, $9, now() + make_interval(secs => $10), $11
     from unnest($1::text[], $2::int[]) as new (id, index)`,
    [
      ids,
      jobs.map(({ arrayIndex }) => arrayIndex),
      tenant,
      job.project,
      spec.name,
      spec.priority,
      JSON.stringify(spec),
      arrayId,
      spec.earliestStart ?? null,
      spec.timeouts.queue ?? null,
      job.submittedBy,
    ],
  );
  const labels = Object.entries(spec.labels);
  if (labels.length > 0) {
    await tx.query(
      `insert into cmo_job_labels (tenant, key, value, job_id)
       select $1, label.key, label.value, job.id
       from unnest($2::text[], $3::text[]) as label (key, value), unnest($4::text[]) as job (id)`,
      [tenant, labels.map(([key]) => key), labels.map(([, value]) => value), ids],
    );
  }
  await appendEvents(
    tx,
    ids.map((id) => ({
      tenant,
      kind: 'job.queued',
      subject: id,
      revision: 1n,
      data: { from: null, to: 'queued', who: job.submittedBy },
    })),
  );
  await writeDirty(tx, 'job', ids);
  return jobs;
}
