/**
 * Takes jobs in. One statement however many (arrays of 10,000 tasks come in one request, and requests come by the hundred a
 * second): jobs, labels, events, dirty keys and remembered answers are durable together or not at all.
 */
import type { JobSpec } from '../../common/contract/job-spec.ts';
import type { Queryable } from '../../common/database/queryable.ts';
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

/** A job, or an array of them, with the ids that it will have. */
export interface JobRequest extends NewJob {
  readonly arrayId: string | null;
  /** In array order; never empty. */
  readonly ids: readonly string[];
  /** For requests with an Idempotency-Key: what a repeat is answered with. */
  readonly remembered?: {
    readonly key: string;
    /** SHA-256 of what was asked. */
    readonly hash: Buffer;
    /** Its `id` is the first of `ids`. */
    readonly response: { readonly id: string | null };
  };
}

/** Gives a new job, or the tasks of its array, their ids. */
export function newJobRequest(job: NewJob): JobRequest {
  const { spec, tenant, project, submittedBy } = job;
  return {
    tenant,
    project,
    spec,
    submittedBy,
    arrayId: spec.array ? newId('array') : null,
    ids: Array.from({ length: spec.array?.count ?? 1 }, () => newId('job') as string),
  };
}

/**
 * Makes the jobs of requests, of any tenants, as `queued` with reason `new`: all or, when it fails, none.
 * @param db a pool of the app (its own transaction), or a transaction
 * @returns for each request whether it made its jobs; false: its key was taken by an earlier request
 */
export async function insertJobs(db: Queryable, requests: readonly JobRequest[]): Promise<boolean[]> {
  const { rows } = await db.query<{ position: number }>('select cmo_submit_jobs($1) as position', [
    JSON.stringify(requests.map(toRow)),
  ]);
  const made = new Set(rows.map(({ position }) => position));
  return requests.map((_, position) => made.has(position));
}

function toRow({ tenant, project, spec, submittedBy, arrayId, ids, remembered }: JobRequest) {
  return {
    tenant,
    project,
    name: spec.name,
    priority: spec.priority,
    spec,
    arrayId,
    deferredUntil: spec.earliestStart ?? null,
    queueSeconds: spec.timeouts.queue ?? null,
    by: submittedBy,
    jobs: ids,
    ...(remembered && {
      key: remembered.key,
      hash: remembered.hash.toString('hex'),
      response: remembered.response,
    }),
  };
}

/** Makes one job, or one per task of an array. @returns in array order */
export async function insertJob(db: Queryable, job: NewJob): Promise<InsertedJob[]> {
  const request = newJobRequest(job);
  await insertJobs(db, [request]);
  const { arrayId, ids } = request;
  return ids.map((id, index) => ({ id, arrayId, arrayIndex: arrayId === null ? null : index }));
}
