/** How far the metrics of each rank came in: found, locked and saved. */
import { type MetricsFrame, metricLimits } from '../../common/contract/agent/metrics.ts';
import type { Transaction } from '../../common/database/queryable.ts';

export interface MetricStream {
  readonly attemptId: string;
  readonly rank: number;
  readonly token: bigint;
  readonly tenant: string;
  readonly jobId: string;
  /** Whether it has a row; one that only asks gets none. */
  readonly stored: boolean;
  next: number;
  position: string;
  ignored: number;
  complete: boolean;
  grown: boolean;
}

interface StreamRow {
  attempt_id: string;
  rank: number;
  token: bigint;
  tenant: string;
  job_id: string;
  stored: boolean;
  next_batch: bigint | null;
  position: string | null;
  complete: boolean | null;
}

export interface LockedStreams {
  readonly all: readonly MetricStream[];
  find(frame: Pick<MetricsFrame, 'attemptId' | 'rank' | 'token'>): MetricStream | undefined;
}

/** Streams of the frames' ranks that were placed on this node; those that bring something are made if new, and locked. */
export async function lockStreams(
  tx: Transaction,
  nodeId: string,
  frames: readonly MetricsFrame[],
): Promise<LockedStreams> {
  const writing = frames.filter((frame) => frame.batch !== null);
  const placed = `
    from unnest($2::text[], $3::int[]) as w (attempt_id, rank)
    join cmo_attempt_ranks r on r.attempt_id = w.attempt_id and r.rank = w.rank and r.node_id = $1
    join cmo_attempts a on a.id = r.attempt_id`;
  const keys = (of: readonly MetricsFrame[]) => [
    nodeId,
    of.map((frame) => frame.attemptId),
    of.map((frame) => frame.rank),
  ];
  if (writing.length > 0) {
    const fresh = await tx.query<{ job_id: string }>(
      `insert into metapod_metric_attempts (attempt_id, tenant, job_id)
       select distinct a.id, a.tenant, a.job_id ${placed} order by a.id on conflict do nothing returning job_id`,
      keys(writing),
    );
    await dropOldest(
      tx,
      fresh.rows.map((row) => row.job_id),
    );
    await tx.query(
      `insert into metapod_metric_streams (attempt_id, rank, tenant)
       select distinct r.attempt_id, r.rank, r.tenant ${placed} order by r.attempt_id, r.rank on conflict do nothing`,
      keys(writing),
    );
    await tx.query(
      `select from metapod_metric_streams s
       where exists (select from unnest($1::text[], $2::int[]) as w (attempt_id, rank)
                     where w.attempt_id = s.attempt_id and w.rank = s.rank)
       order by attempt_id, rank for no key update`,
      keys(writing).slice(1),
    );
  }
  const { rows } = await tx.query<StreamRow>(
    `select distinct r.attempt_id, r.rank, a.token, r.tenant, a.job_id, s.attempt_id is not null as stored,
       s.next_batch, s.position, s.complete ${placed}
     left join metapod_metric_streams s on s.attempt_id = r.attempt_id and s.rank = r.rank`,
    keys(frames),
  );
  const all = rows.map(
    (row): MetricStream => ({
      attemptId: row.attempt_id,
      rank: row.rank,
      token: row.token,
      tenant: row.tenant,
      jobId: row.job_id,
      stored: row.stored,
      next: Number(row.next_batch ?? 0),
      position: row.position ?? '',
      ignored: 0,
      complete: row.complete ?? false,
      grown: false,
    }),
  );
  return {
    all,
    find: ({ attemptId, rank, token }) =>
      all.find((stream) => stream.attemptId === attemptId && stream.rank === rank && stream.token === BigInt(token)),
  };
}

/** Of jobs that got one more attempt with metrics, deletes those of all but the newest ones. */
async function dropOldest(tx: Transaction, jobIds: readonly string[]): Promise<void> {
  if (jobIds.length === 0) return;
  await tx.query(
    `delete from metapod_metric_attempts where attempt_id in (
       select attempt_id from (
         select attempt_id, row_number() over (partition by job_id order by attempt_id desc) as place
         from metapod_metric_attempts where job_id = any($1::text[])) as attempt
       where place > $2)`,
    [[...new Set(jobIds)], metricLimits.attemptsPerJob],
  );
}

/** Writes down how far those came that took something. */
export async function saveStreams(tx: Transaction, streams: readonly MetricStream[]): Promise<void> {
  const grown = streams.filter((stream) => stream.grown);
  if (grown.length === 0) return;
  await tx.query(
    `update metapod_metric_streams s
     set next_batch = g.next, position = g.position, ignored = s.ignored + g.ignored, complete = g.complete
     from unnest($1::text[], $2::int[], $3::bigint[], $4::text[], $5::bigint[], $6::boolean[])
       as g (attempt_id, rank, next, position, ignored, complete)
     where s.attempt_id = g.attempt_id and s.rank = g.rank`,
    [
      grown.map((stream) => stream.attemptId),
      grown.map((stream) => stream.rank),
      grown.map((stream) => stream.next),
      grown.map((stream) => stream.position),
      grown.map((stream) => stream.ignored),
      grown.map((stream) => stream.complete),
    ],
  );
}
