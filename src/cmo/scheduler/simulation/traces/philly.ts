/**
 * Reads Philly as published with Sia: `timestamp,duration,num_gpus,gpu_time,cluster`, instants in UTC without a zone.
 *
 * That file lists one virtual cluster after another, so as a whole it is not in order of time. It is sorted here when
 * asked to, because the order of its lines means nothing; without that an unsorted line is refused like anywhere else.
 */
import { readCsv } from './csv-table.ts';
import { requireSorted, secondsField, sizeField, TraceError } from './trace-error.ts';
import type { TraceJob } from './trace-job.ts';

const INSTANT = /^(\d{4}-\d{2}-\d{2})[ T](\d{2}:\d{2}:\d{2})$/;

/** @throws TraceError */
export function readPhilly(text: string, { sort = false }: { sort?: boolean } = {}): TraceJob[] {
  let before = Number.NEGATIVE_INFINITY;
  const rows = readCsv(text, ['timestamp', 'duration', 'num_gpus', 'cluster']);
  const jobs = rows.map(({ line, field }, index) => {
    const match = INSTANT.exec(field('timestamp') ?? '');
    const submittedAt = match === null ? Number.NaN : Date.parse(`${match[1]}T${match[2]}Z`) / 1000;
    if (Number.isNaN(submittedAt)) throw new TraceError(line, `timestamp is no instant: ${field('timestamp')}`);
    if (!sort) requireSorted(line, before, submittedAt);
    before = submittedAt;
    return {
      id: String(index + 1),
      submittedAt,
      runSeconds: secondsField(line, 'duration', field('duration')),
      size: sizeField(line, 'num_gpus', field('num_gpus')),
      estimateSeconds: null,
      user: '',
      name: field('cluster') ?? '',
    };
  });
  return sort ? jobs.sort((a, b) => a.submittedAt - b.submittedAt) : jobs;
}
