/**
 * Samples: what nodes and devices measure now, and what they measured per 10 seconds.
 *
 * The latest ones live in an unlogged table, so that they cost no write-ahead log and every process can read them; the sums of the
 * current 10 seconds stand beside them and become a roll-up when the next 10 seconds begin. After a crash of the database
 * both are empty, which is why nothing decides or bills by them. A node talks to one gateway, so nobody else merges its sums.
 */
import { type Database, withSystem } from '../../common/database/index.ts';
import type { Queryable, Transaction } from '../../common/database/queryable.ts';

/** Numbers by name; `subject` is a device's uuid, or `node`. */
export interface NodeSample {
  readonly subject: string;
  readonly data: Readonly<Record<string, number>>;
}

/** By name: how many values, their sum, the largest. */
export type Sums = Readonly<Record<string, readonly [count: number, sum: number, maximum: number]>>;

export interface Rollup {
  /** Start of the 10 seconds. */
  readonly slot: Date;
  readonly data: Sums;
}

/** How long roll-ups are kept, hours. */
export const rollupKeptHours = 48;
const deletedAtOnce = 10_000;

interface SampleRow {
  readonly subjectId: string;
  readonly nodeId: string;
  readonly data: Record<string, number>;
  readonly slot: Date | null;
  readonly sums: Sums | null;
  readonly currentSlot: Date;
}

// Subjects that are not devices of their node are dropped: a node speaks only of itself.
const resolveStatement = `
  select coalesce(d.id, i.node_id) as "subjectId", i.node_id as "nodeId", i.data, s.slot, s.sums,
    date_bin('10 seconds', clock_timestamp(), 'epoch') as "currentSlot"
  from unnest($1::text[], $2::text[], $3::jsonb[]) as i (node_id, subject, data)
  left join drm_devices d on d.node_id = i.node_id and d.uuid = i.subject
  left join drm_samples s on s.subject_id = coalesce(d.id, i.node_id)
  where i.subject = 'node' or d.id is not null
  order by 1`;

/** Writes the latest samples of nodes, and the roll-ups that they complete. */
export async function writeSamples(
  tx: Transaction,
  nodes: readonly { readonly nodeId: string; readonly samples: readonly NodeSample[] }[],
): Promise<void> {
  const input = nodes.flatMap(({ nodeId, samples }) => samples.map((sample) => ({ nodeId, ...sample })));
  if (input.length === 0) return;
  const { rows } = await tx.query<SampleRow>(resolveStatement, [
    input.map(({ nodeId }) => nodeId),
    input.map(({ subject }) => subject),
    input.map(({ data }) => JSON.stringify(data)),
  ]);
  const latest = [...new Map(rows.map((row) => [row.subjectId, row])).values()];
  const isCurrent = ({ slot, currentSlot }: SampleRow) => slot?.getTime() === currentSlot.getTime();
  await writeRollups(
    tx,
    latest.filter((row) => row.slot !== null && !isCurrent(row)),
  );
  await tx.query(
    `insert into drm_samples (subject_id, node_id, at, data, slot, sums)
     select id, node_id, clock_timestamp(), data, slot, sums
     from unnest($1::text[], $2::text[], $3::jsonb[], $4::timestamptz[], $5::jsonb[]) as v (id, node_id, data, slot, sums)
     on conflict (subject_id) do update
     set node_id = excluded.node_id, at = excluded.at, data = excluded.data, slot = excluded.slot, sums = excluded.sums`,
    [
      latest.map(({ subjectId }) => subjectId),
      latest.map(({ nodeId }) => nodeId),
      latest.map(({ data }) => JSON.stringify(data)),
      latest.map(({ currentSlot }) => currentSlot),
      latest.map((row) => JSON.stringify(addSample(isCurrent(row) ? (row.sums ?? {}) : {}, row.data))),
    ],
  );
}

/** Adds one sample to sums. */
export function addSample(sums: Sums, data: Readonly<Record<string, number>>): Sums {
  const next: Record<string, readonly [number, number, number]> = { ...sums };
  for (const [name, value] of Object.entries(data)) {
    const [count, sum, maximum] = sums[name] ?? [0, 0, Number.NEGATIVE_INFINITY];
    next[name] = [count + 1, sum + value, Math.max(maximum, value)];
  }
  return next;
}

async function writeRollups(tx: Transaction, rows: readonly SampleRow[]): Promise<void> {
  if (rows.length === 0) return;
  await tx.query(
    `insert into drm_rollups (subject_id, slot, data) select * from unnest($1::text[], $2::timestamptz[], $3::jsonb[])
     on conflict do nothing`,
    [
      rows.map(({ subjectId }) => subjectId),
      rows.map(({ slot }) => slot),
      rows.map(({ sums }) => JSON.stringify(sums)),
    ],
  );
}

/** Roll-ups of a device or node between two instants, oldest first. */
export async function readRollups(tx: Queryable, subjectId: string, from: Date, until: Date): Promise<Rollup[]> {
  const { rows } = await tx.query<Rollup>(
    'select slot, data from drm_rollups where subject_id = $1 and slot >= $2 and slot < $3 order by slot',
    [subjectId, from, until],
  );
  return rows;
}

/**
 * Writes the last roll-up of those who fell silent, and deletes roll-ups that are too old, in batches. For housekeeping; any process
 * may call it at any time.
 *
 * @returns how many were deleted
 */
export async function settleSamples(db: Database, keptHours: number = rollupKeptHours): Promise<number> {
  await withSystem(db, (tx) =>
    tx.query(
      `with silent as (
         select subject_id, slot, sums from drm_samples
         where slot < clock_timestamp() - interval '1 minute' and sums <> '{}' order by subject_id for update skip locked
       ), settled as (
         update drm_samples s set sums = '{}' from silent where s.subject_id = silent.subject_id
       )
       insert into drm_rollups (subject_id, slot, data) select subject_id, slot, sums from silent on conflict do nothing`,
    ),
  );
  for (let deleted = 0; ; ) {
    const { rowCount } = await withSystem(db, (tx) =>
      tx.query(
        `delete from drm_rollups where (subject_id, slot) in (
           select subject_id, slot from drm_rollups where slot < clock_timestamp() - make_interval(hours => $1)
           order by slot limit $2 for update skip locked)`,
        [keptHours, deletedAtOnce],
      ),
    );
    deleted += rowCount ?? 0;
    if ((rowCount ?? 0) < deletedAtOnce) return deleted;
  }
}
