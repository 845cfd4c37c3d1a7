/** Cancels many jobs, a few at a time; those that have ended meanwhile are no failures. */
import type { Job } from '../../api/contract.ts';
import { asProblem, Problem } from '../../api/problem.ts';
import { request } from '../../api/request.ts';

const atOnce = 6;

export interface Cancelled {
  readonly jobs: readonly Job[];
  /** Had ended before. */
  readonly ended: number;
}

/** @throws Problem that names how many were not cancelled, with the first reason; the others are cancelled all the same */
export async function cancelMany(ids: readonly string[], onProgress: (done: number) => void): Promise<Cancelled> {
  const queue = [...ids];
  const jobs: Job[] = [];
  const failures: Problem[] = [];
  let ended = 0;
  const worker = async () => {
    for (let id = queue.shift(); id !== undefined; id = queue.shift()) {
      try {
        jobs.push(await request('POST /v1/jobs/:id/cancel', { params: { id } }));
      } catch (error) {
        const problem = asProblem(error);
        if (problem.code === 'job_final') ended += 1;
        else failures.push(problem);
      }
      onProgress(jobs.length + ended + failures.length);
    }
  };
  await Promise.all(Array.from({ length: Math.min(atOnce, ids.length) }, worker));
  const [first] = failures;
  if (first) {
    const title = `${failures.length} of ${ids.length} jobs were not cancelled.`;
    throw new Problem({ ...first, title, detail: [first.title, first.detail].filter(Boolean).join(' ') });
  }
  return { jobs, ended };
}
