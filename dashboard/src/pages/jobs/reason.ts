/** Why a job is in its state, in the words of the server: why it waits, why it is being stopped, why it failed. */
import type { Job } from '../../api/contract.ts';

const stopping: Readonly<Record<NonNullable<Job['stopReason']>, string>> = {
  cancel: 'being cancelled',
  preempt: 'makes room for another job',
  move: 'moves to another node',
  suspend: 'being suspended',
  shed: 'power is being saved',
};

/** A code is one word; everything else is a sentence of the server's, and holds what must not be changed: names, paths, hashes. */
const code = /^[a-z]+([-_][a-z]+)*$/;
const wordsOf = (name: string): string => name.replaceAll(/[-_]/g, ' ');

/** null where there is nothing to say. */
export function reasonOf(job: Pick<Job, 'state' | 'pending' | 'stopReason' | 'reason' | 'exitCode'>): string | null {
  if (job.state === 'queued')
    return job.pending?.message ?? (job.pending === null ? null : wordsOf(job.pending.reason));
  if (job.state === 'stopping') return job.stopReason === null ? null : stopping[job.stopReason];
  // "failed" says no more than the state does.
  if (job.reason !== null && job.reason !== job.state) return code.test(job.reason) ? wordsOf(job.reason) : job.reason;
  return job.state === 'failed' && job.exitCode !== null ? `exit code ${job.exitCode}` : null;
}
