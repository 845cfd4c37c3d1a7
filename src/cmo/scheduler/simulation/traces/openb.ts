/**
 * Reads pod lists of Alibaba's openb (cluster-trace-gpu-v2023): pods with the instants of their creation, scheduling and deletion.
 *
 * A pod ran from `scheduled_time` (from its creation where that is empty: it was never scheduled there) to its deletion; one without deletion
 * cannot be played and is refused. Pods without a GPU ask for cores and memory only; `gpu_spec` names models, `|` between them.
 */
import { type CsvRow, readCsv } from './csv-table.ts';
import { numberField, requireSorted, secondsField, TraceError } from './trace-error.ts';
import type { TraceJob } from './trace-job.ts';

const columns = [
  'name',
  'cpu_milli',
  'memory_mib',
  'num_gpu',
  'gpu_milli',
  'gpu_spec',
  'qos',
  'creation_time',
  'deletion_time',
  'scheduled_time',
];

/** @throws TraceError */
export function readOpenb(text: string): TraceJob[] {
  let before = Number.NEGATIVE_INFINITY;
  return readCsv(text, columns).map((row) => {
    const job = podOf(row);
    requireSorted(row.line, before, job.submittedAt);
    before = job.submittedAt;
    return job;
  });
}

function podOf({ line, field }: CsvRow): TraceJob {
  const seconds = (name: string) => secondsField(line, name, field(name));
  const whole = (name: string, least: number, most: number) => {
    const value = numberField(line, name, field(name));
    if (Number.isInteger(value) && value >= least && value <= most) return value;
    throw new TraceError(line, `${name} must be a whole number of ${least}–${most}, not ${field(name)}`);
  };
  const submittedAt = seconds('creation_time');
  const started = field('scheduled_time') === '' ? submittedAt : seconds('scheduled_time');
  const runSeconds = seconds('deletion_time') - started;
  if (runSeconds < 0) throw new TraceError(line, `deleted ${-runSeconds} s before it was scheduled`);
  const devices = whole('num_gpu', 0, 1000);
  const models = (field('gpu_spec') ?? '').split('|').filter((model) => model !== '');
  return {
    id: field('name') ?? '',
    submittedAt,
    runSeconds,
    size: Math.max(1, devices),
    estimateSeconds: null,
    user: '',
    name: field('qos') ?? '',
    wants: {
      cpuMilli: whole('cpu_milli', 0, 1e9),
      memoryBytes: whole('memory_mib', 0, 1e9) * 2 ** 20,
      devices,
      milli: devices === 0 ? 1000 : whole('gpu_milli', 1, 1000),
      models,
    },
  };
}
