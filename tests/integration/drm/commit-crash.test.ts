import { spawn } from 'node:child_process';
import { once } from 'node:events';
import { fileURLToPath } from 'node:url';
import { afterAll, beforeAll, describe, expect, it } from 'vitest';
import { attemptLedger } from '../../../src/cmo/jobs/index.ts';
import type { Placement } from '../../../src/common/contract/plan.ts';
import { withSystem } from '../../../src/common/database/index.ts';
import { newId } from '../../../src/common/ids.ts';
import { commitPlan } from '../../../src/drm/allocator/index.ts';
import { createSite, registerNode } from '../../../src/drm/tracker/index.ts';
import { createTestDatabase, type TestDatabase } from '../../support/database.ts';
import { until } from '../../support/until.ts';
import { addJobs, addTenant, inventory, miscounted, placement, rank } from './support/fleet.ts';

let database: TestDatabase;
let owner: { tenant: string; project: string };
let siteId: string;
const nodeId = newId('node');

beforeAll(async () => {
  database = await createTestDatabase();
  await withSystem(database.db, async (tx) => {
    owner = await addTenant(tx);
    siteId = (await createSite(tx, { name: 'here' }, 'test')).id;
    await registerNode(tx, { nodeId, siteId, inventory: inventory({ cpuMilli: 10 ** 7, memoryBytes: 2 ** 45 }) });
  });
});
afterAll(() => database?.drop());

/** Commits the plan in another process that is killed at the place; returns how it ended. */
async function commitElsewhere(placements: readonly Placement[], failpoints: string): Promise<string | null> {
  const program = fileURLToPath(new URL('support/commit-once.ts', import.meta.url));
  const plan = JSON.stringify({ placements }, (_, value) => (typeof value === 'bigint' ? String(value) : value));
  const child = spawn(process.execPath, [program, JSON.stringify(database.logins), plan], {
    env: { ...process.env, SOLYX_FAILPOINTS: failpoints },
    stdio: ['ignore', 'ignore', 'inherit'],
  });
  const [, signal] = await once(child, 'exit');
  await until('the server noticed that its client is gone', async () => {
    const { rows } = await database.db.system.query<{ pid: number }>(
      `select pid from pg_stat_activity
       where datname = current_database() and backend_xid is not null and pid <> pg_backend_pid()`,
    );
    return rows.length === 0;
  });
  return signal;
}

describe('a scheduler that is killed', () => {
  it.each([
    ['before its first commit', 'allocator.before-commit:1', 0],
    ['between two chunks', 'allocator.after-commit:1', 200],
    ['before its second commit', 'allocator.before-commit:2', 200],
    ['when all is committed', 'allocator.after-commit:2', 210],
  ])('%s leaves whole chunks or nothing, and the next one does the rest', async (_, failpoints, survivors) => {
    const jobs = await withSystem(database.db, (tx) => addJobs(tx, owner, 210));
    const placements = jobs.map((job) => placement(job, siteId, rank(nodeId)));
    expect(await commitElsewhere(placements, failpoints)).toBe('SIGKILL');
    const { committed, refused } = await commitPlan(database.db, { placements }, attemptLedger);
    expect([committed.length, refused.length]).toEqual([210 - survivors, survivors]);
    expect(new Set(refused.map(({ code }) => code))).toEqual(new Set(survivors > 0 ? ['job_changed'] : []));
    const held = await withSystem(database.db, (tx) =>
      tx.query<{ n: number }>('select count(*)::int as n from drm_allocations where job_id = any($1::text[])', [jobs]),
    );
    expect(held.rows[0]!.n).toBe(210);
    expect(await withSystem(database.db, miscounted)).toEqual([]);
  });
});
