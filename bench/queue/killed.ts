/** The process that works jobs off is killed again and again, without a warning, until all are done: nothing may be lost or done twice. */
import { type ChildProcess, fork } from 'node:child_process';
import { once } from 'node:events';
import { fileURLToPath } from 'node:url';
import type { Tenant } from '../api/fill.ts';
import type { BenchmarkCase } from '../harness.ts';
import type { BenchDatabase } from '../product/database.ts';
import { check, place, submit } from './ours.ts';
import { until } from './until.ts';

/** Time that a process has at least before it is killed, after its first job ended; ms. */
const livesMs = 400;

export async function drainUnderKills(
  database: BenchDatabase,
  tenant: Tenant,
  jobs: number,
  nodes: number,
): Promise<BenchmarkCase[]> {
  const db = await database.open();
  try {
    const ids = await submit(db, tenant, jobs);
    await place(db, ids, nodes);
    const left = async () => {
      const { rows } = await db.system.query<{ n: number }>(
        `select count(*)::int as n from cmo_attempts where job_id = any($1::text[]) and forgotten_at is null`,
        [ids],
      );
      return rows[0]!.n;
    };
    let kills = 0;
    for (;;) {
      const child = fork(fileURLToPath(new URL('drain-process.ts', import.meta.url)), [
        JSON.stringify(database.logins),
      ]);
      const before = await left();
      if (before === 0) {
        await end(child);
        break;
      }
      await until(async () => (await left()) < before);
      await new Promise((resolve) => setTimeout(resolve, livesMs));
      await end(child);
      kills += 1;
    }
    await check(db, ids);
    const of = (metric: string, ours: number, bound?: BenchmarkCase['bound']): BenchmarkCase => ({
      case: `${jobs} jobs, kill -9 again and again`,
      metric,
      unit: '',
      ours,
      peers: {},
      ...(bound && { bound }),
    });
    return [
      of('kills', kills, { atLeast: 1 }),
      // `check` throws otherwise, with their number.
      of('jobs lost', 0, { atMost: 0 }),
      of('jobs with two ends', 0, { atMost: 0 }),
    ];
  } finally {
    await db.close();
  }
}

async function end(child: ChildProcess): Promise<void> {
  const ended = once(child, 'exit');
  child.kill('SIGKILL');
  await ended;
}
