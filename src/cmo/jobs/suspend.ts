/**
 * Takes a job out of the race and puts it back. A suspended job holds nothing and is not planned; what it wrote to its
 * checkpoints is what its next attempt begins with.
 */
import { isFinalJob, type JobState } from '../../common/contract/states/job.ts';
import type { Transaction } from '../../common/database/queryable.ts';
import { SolyxError } from '../../common/errors/index.ts';
import { appendEvents, writeDirty } from '../../common/events/index.ts';
import type { JobRow } from './rows.ts';

/**
 * Asks a job to give up its place: at once while it is queued, with its grace when it runs. Repeatable. A job that is being
 * stopped to be queued again (preempted, moved) is suspended in its place.
 * @param by id of the key that asks
 * @returns the job's row afterwards: `suspended` or `stopping`
 * @throws not_found, job_final, job_cancelling
 */
export async function requestSuspend(tx: Transaction, jobId: string, by: string): Promise<JobRow> {
  const job = await lock(tx, jobId);
  if (job.state === 'suspended' || (job.state === 'stopping' && job.stop_reason === 'suspend')) return job;
  if (job.state === 'stopping' && job.stop_reason === 'cancel') {
    throw new SolyxError('job_cancelling', `Job ${jobId} is being cancelled.`);
  }
  const to: JobState = job.state === 'queued' ? 'suspended' : 'stopping';
  const { rows } = await tx.query<JobRow>(
    `update cmo_jobs set state = $2, stop_reason = 'suspend', pending_reason = null, pending_detail = null,
            deferred_until = null, revision = revision + 1
     where id = $1 returning *`,
    [jobId, to],
  );
  if (to === 'stopping') {
    await tx.query(`update cmo_attempts set due_at = least(due_at, now()) where job_id = $1 and state <> 'ended'`, [
      jobId,
    ]);
  }
  return changed(tx, job.state, rows[0]!, 'suspend', by);
}

/**
 * Queues a suspended job again. Repeatable. Its time in the queue begins anew: `timeouts.queue` does not count the pause.
 * @throws not_found, job_final, job_not_suspended
 */
export async function requestResume(tx: Transaction, jobId: string, by: string): Promise<JobRow> {
  const job = await lock(tx, jobId);
  if (job.state !== 'suspended' && job.state !== 'stopping') return job;
  if (job.state === 'stopping') {
    throw new SolyxError('job_not_suspended', `Job ${jobId} is still being stopped (${job.stop_reason}).`);
  }
  const { timeouts, earliestStart } = job.spec;
  const { rows } = await tx.query<JobRow>(
    `update cmo_jobs set state = 'queued', stop_reason = null, pending_reason = case when waits_for > 0 then 'waits_for_jobs' else 'new' end, exit_code = null, reason = null,
            deferred_until = case when $2::timestamptz > now() then $2::timestamptz end,
            queue_deadline = case when started_at is null then now() + make_interval(secs => $3) end,
            revision = revision + 1
     where id = $1 returning *`,
    [jobId, earliestStart ?? null, timeouts.queue ?? null],
  );
  // What became of jobs that it waits for meanwhile was not applied to it.
  await tx.query(
    `insert into feed_dirty (kind, key) select 'dependency', on_id from cmo_job_dependencies where job_id = $1 and not met`,
    [jobId],
  );
  return changed(tx, 'suspended', rows[0]!, 'resume', by);
}

async function lock(tx: Transaction, jobId: string): Promise<JobRow> {
  const { rows } = await tx.query<JobRow>('select * from cmo_jobs where id = $1 for no key update', [jobId]);
  const job = rows[0];
  if (!job) throw new SolyxError('not_found', `No job ${jobId}.`);
  if (isFinalJob(job.state)) throw new SolyxError('job_final', `Job ${jobId} is ${job.state}.`);
  return job;
}

async function changed(tx: Transaction, from: JobState, job: JobRow, why: string, who: string): Promise<JobRow> {
  await appendEvents(tx, [
    {
      tenant: job.tenant,
      kind: `job.${job.state}`,
      subject: job.id,
      revision: job.revision,
      data: { from, to: job.state, why, who },
    },
  ]);
  if (from === 'queued' || job.state === 'queued') await writeDirty(tx, 'job', [job.id]);
  return job;
}
