/**
 * What a stretch of work cost the database: rows, bytes and flushes of its log, and processor time on both sides.
 *
 * Sessions tell their counts at most once a second; those of a pool are made to tell them before each reading. On a shared machine the
 * processor time is what compares, not the clock.
 */
import { readdirSync, readFileSync } from 'node:fs';
import type pg from 'pg';
import { withClient } from '../../src/common/database/connection.ts';
import type { BenchmarkCase } from '../harness.ts';

export interface DatabaseCost {
  /** Rows of user tables that were inserted, updated or deleted. */
  readonly rows: number;
  readonly walBytes: number;
  /** Flushes of the log. */
  readonly fsyncs: number;
  /** Processor time of PostgreSQL, all its processes, ms. */
  readonly databaseCpuMs: number;
  /** Processor time of this process, all its threads, ms. */
  readonly ownCpuMs: number;
}

/** @param pools whose sessions did the work; @param serverPid of the postmaster */
export async function readCost(
  admin: pg.ClientConfig,
  serverPid: number,
  pools: readonly pg.Pool[],
): Promise<DatabaseCost> {
  for (const pool of pools) await tellStatistics(pool);
  const { user, system } = process.cpuUsage();
  const counts = await withClient(admin, async (client) => {
    const { rows } = await client.query<{ rows: number; wal: number; fsyncs: number }>(
      `select (select coalesce(sum(n_tup_ins + n_tup_upd + n_tup_del), 0)::float8 from pg_stat_user_tables) as rows,
              pg_wal_lsn_diff(pg_current_wal_insert_lsn(), '0/0')::float8 as wal,
              (select sum(fsyncs)::float8 from pg_stat_io where object = 'wal') as fsyncs`,
    );
    return rows[0]!;
  });
  return {
    rows: counts.rows,
    walBytes: counts.wal,
    fsyncs: counts.fsyncs,
    databaseCpuMs: cpuMsOfServer(serverPid),
    ownCpuMs: (user + system) / 1000,
  };
}

export function costSince(before: DatabaseCost, after: DatabaseCost): DatabaseCost {
  return {
    rows: after.rows - before.rows,
    walBytes: after.walBytes - before.walBytes,
    fsyncs: after.fsyncs - before.fsyncs,
    databaseCpuMs: after.databaseCpuMs - before.databaseCpuMs,
    ownCpuMs: after.ownCpuMs - before.ownCpuMs,
  };
}

/** The cost of each of `jobs`, as cases without bounds. */
export function costCases(name: string, cost: DatabaseCost, jobs: number): BenchmarkCase[] {
  const of = (metric: string, unit: string, ours: number): BenchmarkCase => ({
    case: name,
    metric: `${metric} per job`,
    unit,
    ours: ours / jobs,
    peers: {},
  });
  return [
    of('rows written', '', cost.rows),
    of('log written', 'bytes', cost.walBytes),
    of('flushes of the log', '', cost.fsyncs),
    of('processor time of PostgreSQL', 'µs', cost.databaseCpuMs * 1000),
    of('processor time of Solyx', 'µs', cost.ownCpuMs * 1000),
  ];
}

/** Makes each session of a pool hand its counts in. */
async function tellStatistics(pool: pg.Pool): Promise<void> {
  const clients = await Promise.all(Array.from({ length: pool.totalCount }, () => pool.connect()));
  await Promise.all(clients.map((client) => client.query('select pg_stat_force_next_flush()')));
  for (const client of clients) client.release();
}

/** Of a server with all its processes, also those that have ended. Only Linux tells. */
function cpuMsOfServer(serverPid: number): number {
  if (process.platform !== 'linux') return Number.NaN;
  let ticks = 0;
  for (const name of readdirSync('/proc')) {
    if (!/^\d+$/.test(name)) continue;
    const fields = statOf(name);
    if (fields === undefined) continue;
    const isServer = Number(name) === serverPid;
    if (!isServer && Number(fields[1]) !== serverPid) continue;
    ticks += Number(fields[11]) + Number(fields[12]);
    if (isServer) ticks += Number(fields[13]) + Number(fields[14]);
  }
  return ticks * 10;
}

/** Fields of /proc/pid/stat from the state on: parent is 1, user and system ticks 11 and 12, those of ended children 13 and 14. */
function statOf(pid: string): string[] | undefined {
  try {
    const text = readFileSync(`/proc/${pid}/stat`, 'utf8');
    return text.slice(text.lastIndexOf(')') + 2).split(' ');
  } catch {
    return undefined;
  }
}
