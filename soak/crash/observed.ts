/** What is on record after the load has ended, read as the superuser and, for logs, through the API. */
import type { Stand } from './stand.ts';

export interface JobRecord {
  id: string;
  label: string;
  state: string;
  attempt_count: number;
  /** Final events of the job. */
  final_events: number;
  ended_events: number;
  array_index: number | null;
}

/** A job as the API tells it to its owner. */
export interface ToldJob {
  readonly state: string;
  readonly attempts: number;
  /** Whether it says that something still runs and costs. */
  readonly open: boolean;
  readonly runSeconds: number;
}

export interface AttemptRecord {
  id: string;
  job_id: string;
  number: number;
  token: bigint;
  state: string;
  outcome: string | null;
  running_at: Date | null;
  message: string | null;
}

export interface RankRecord {
  attempt_id: string;
  rank: number;
  reason: string | null;
}

export interface IntervalRecord {
  job_id: string;
  attempt_id: string;
  rank: number;
  started_at: Date;
  ended_at: Date | null;
}

/** One line that a job said: `<number> <word> <detail> <milliseconds>`; the time is 0 where none was taken. */
export interface SaidLine {
  readonly number: number;
  readonly word: string;
  readonly detail: string;
  readonly atMs: number;
}

export interface RankLog {
  readonly attemptId: string;
  readonly rank: number;
  readonly said: readonly SaidLine[];
  /** Numbers of the lines in the stream. */
  readonly numbers: readonly number[];
  readonly complete: boolean;
  /** Lines that are not as the jobs write them. */
  readonly strange: readonly string[];
}

export interface Observed {
  readonly jobs: readonly JobRecord[];
  readonly attempts: readonly AttemptRecord[];
  readonly ranks: readonly RankRecord[];
  readonly intervals: readonly IntervalRecord[];
  readonly logs: readonly RankLog[];
  readonly held: readonly string[];
  /** By id of the job. */
  readonly told: ReadonlyMap<string, ToldJob>;
}

/** @throws Error when database or API are away */
export async function observe(stand: Stand): Promise<Observed> {
  const jobs = await stand.query<JobRecord>(
    `select j.id, l.value as label, j.state, j.attempt_count, j.array_index,
            (select count(*)::int from feed_events e where e.subject = j.id
             and e.kind in ('job.succeeded', 'job.failed', 'job.cancelled')) as final_events,
            (select count(*)::int from feed_events e where e.subject = j.id and e.kind = 'attempt.ended') as ended_events
     from cmo_jobs j join cmo_job_labels l on l.job_id = j.id and l.key = 'soak' order by j.id`,
  );
  const attempts = await stand.query<AttemptRecord>(
    'select id, job_id, number, token, state, outcome, running_at, message from cmo_attempts order by job_id, number',
  );
  const ranks = await stand.query<RankRecord>(
    'select attempt_id, rank, reason from cmo_attempt_ranks order by attempt_id, rank',
  );
  const intervals = await stand.query<IntervalRecord>(
    'select job_id, attempt_id, rank, started_at, ended_at from billing_usage_intervals order by job_id, started_at',
  );
  const [logs, told] = [await readLogs(stand, attempts, ranks), await ask(stand, jobs)];
  return { jobs, attempts, ranks, intervals, logs, told, held: await held(stand) };
}

async function ask(stand: Stand, jobs: readonly JobRecord[]): Promise<Map<string, ToldJob>> {
  const told = new Map<string, ToldJob>();
  for (const { id } of jobs) {
    const { state, attempts, usage } = await stand.client.getJob({ params: { id: id as never } });
    told.set(id, { state, attempts: attempts.length, open: usage.open, runSeconds: usage.runSeconds });
  }
  return told;
}

/** Everything that is still given away. */
async function held(stand: Stand): Promise<string[]> {
  const rows = await stand.query<{ words: string }>(
    `select format('node %s: cpu %s, memory %s, disk %s', name, used_cpu_milli, used_memory_bytes, used_disk_bytes) as words
     from drm_nodes where used_cpu_milli > 0 or used_memory_bytes > 0 or used_disk_bytes > 0
     union all select format('device %s: %s', id, used_milli) from drm_devices where used_milli > 0
     union all select format('allocation %s of attempt %s is %s', id, attempt_id, state) from drm_allocations where state <> 'released'
     union all select format('rank %s of allocation %s', rank, allocation_id) from drm_allocation_nodes where not released
     union all select format('device %s of allocation %s', device_id, allocation_id) from drm_allocation_devices where not released`,
  );
  return rows.map(({ words }) => words);
}

async function readLogs(
  stand: Stand,
  attempts: readonly AttemptRecord[],
  ranks: readonly RankRecord[],
): Promise<RankLog[]> {
  const byId = new Map(attempts.map((attempt) => [attempt.id, attempt]));
  const logs: RankLog[] = [];
  for (const { attempt_id, rank } of ranks) {
    const attempt = byId.get(attempt_id)!;
    const said: SaidLine[] = [];
    const numbers: number[] = [];
    const strange: string[] = [];
    let fromLine = 0;
    let complete = false;
    for (;;) {
      const page = await stand.client.getJobLogs({
        params: { id: attempt.job_id as never },
        query: { attempt: attempt.number, rank, fromLine, limit: 10_000 },
      });
      for (const { line, text } of page.lines) {
        numbers.push(line);
        const parsed = /^(\d+) (\w+) (\S*) (\d+)$/.exec(text);
        if (parsed === null) strange.push(text);
        else said.push({ number: Number(parsed[1]), word: parsed[2]!, detail: parsed[3]!, atMs: Number(parsed[4]) });
      }
      complete = page.complete;
      if (page.lines.length === 0) break;
      fromLine = page.nextLine;
    }
    logs.push({ attemptId: attempt_id, rank, said, numbers, complete, strange });
  }
  return logs;
}
