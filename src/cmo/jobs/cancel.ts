/**
 * Asks a job to stop. A queued job ends at once; one that runs is stopped by the orchestrator, with grace. A job that is
 * being stopped for another reason (to be suspended, say) is cancelled in its place.
 */
import { isFinalJob, type JobState } from '../../common/contract/states/job.ts';
import type { Transaction } from '../../common/database/queryable.ts';
import { SolyxError } from '../../common/errors/index.ts';
import { appendEvents, writeDirty } from '../../common/events/index.ts';
import { tellDependents } from './dependencies.ts';
import type { JobRow } from './rows.ts';

/**
 * Requests cancellation; repeatable while the job stops.
 * @param by id of the key that asks
 * @returns the job's row afterwards
 * @throws not_found, job_final
 */
export async function requestCancel(tx: Transaction, jobId: string, by: string): Promise<JobRow> {
  const { rows } = await tx.query<JobRow>('select * from cmo_jobs where id = $1 for no key update', [jobId]);
  const job = rows[0];
  if (!job) throw new SolyxError('not_found', `No job ${jobId}.`);
  if (isFinalJob(job.state)) throw new SolyxError('job_final', `Job ${jobId} is ${job.state}.`);
  if (job.state === 'stopping' && job.stop_reason === 'cancel') return job;
  const atOnce = job.state === 'queued' || job.state === 'suspended';
  const to: JobState = atOnce ? 'cancelled' : 'stopping';
  const updated = await tx.query<JobRow>(
    `update cmo_jobs
     set state = $2, stop_reason = 'cancel', cancel_requested_at = now(), pending_reason = null, pending_detail = null,
         deferred_until = null, ended_at = case when $2 = 'cancelled' then now() end, revision = revision + 1
     where id = $1 returning *`,
    [jobId, to],
  );
  const row = updated.rows[0]!;
  if (!atOnce) {
    await tx.query(`update cmo_attempts set due_at = least(due_at, now()) where job_id = $1 and state <> 'ended'`, [
      jobId,
    ]);
  }
  await appendEvents(tx, [
    {
      tenant: row.tenant,
      kind: `job.${to}`,
      subject: jobId,
      revision: row.revision,
      data: { from: job.state, to, why: 'cancel', who: by },
    },
  ]);
  if (job.state === 'queued') await writeDirty(tx, 'job', [jobId]);
  if (atOnce) await tellDependents(tx, [row]);
  return row;
}
