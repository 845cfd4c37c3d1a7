/** Reads Microsoft's ITP traces of 2021 (microsoft/elasticflow-traces): `job_id,submission_time,duration,num_gpu`, seconds, sorted. */
import { readCsv } from './csv-table.ts';
import { requireSorted, secondsField, sizeField } from './trace-error.ts';
import type { TraceJob } from './trace-job.ts';

/** @throws TraceError */
export function readItp(text: string): TraceJob[] {
  let before = Number.NEGATIVE_INFINITY;
  return readCsv(text, ['job_id', 'submission_time', 'duration', 'num_gpu']).map(({ line, field }) => {
    const submittedAt = secondsField(line, 'submission_time', field('submission_time'));
    requireSorted(line, before, submittedAt);
    before = submittedAt;
    return {
      id: field('job_id') ?? '',
      submittedAt,
      runSeconds: secondsField(line, 'duration', field('duration')),
      size: sizeField(line, 'num_gpu', field('num_gpu')),
      estimateSeconds: null,
      user: '',
      name: '',
    };
  });
}
