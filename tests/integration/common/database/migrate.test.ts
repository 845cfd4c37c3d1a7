import { createHash } from 'node:crypto';
import { mkdir, mkdtemp, rm, writeFile } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { afterAll, afterEach, beforeAll, beforeEach, describe, expect, test } from 'vitest';
import { withClient } from '../../../../src/common/database/connection.ts';
import { findMigrations, type Migration, migrate } from '../../../../src/common/database/index.ts';
import { silentLogger } from '../../../../src/common/logger.ts';
import { createTestDatabase, type TestDatabase } from '../../../support/database.ts';

function migration(number: number, sql: string): Migration {
  const name = `${String(number).padStart(4, '0')}_step`;
  return { number, name, sql, sha256: createHash('sha256').update(sql).digest('hex') };
}

describe('migrating', () => {
  let database: TestDatabase;
  beforeEach(async () => {
    database = await createTestDatabase({ template: 'template1', poolSize: 1 });
  });
  afterEach(() => database.drop());

  const run = (migrations: Migration[]) => migrate(database.logins.owner, silentLogger, migrations);
  const one = migration(1, 'create table steps (n int)');
  const two = migration(2, 'insert into steps values (2)');
  const three = migration(3, 'insert into steps values (3)');
  const steps = () =>
    withClient(database.admin, async (client) => {
      return (await client.query<{ n: number }>('select n from steps order by n')).rows.map((row) => row.n);
    });

  test('applies in order, once, and says what it applied', async () => {
    expect(await run([one, two])).toEqual(['0001_step', '0002_step']);
    expect(await run([one, two, three])).toEqual(['0003_step']);
    expect(await run([one, two, three])).toEqual([]);
    expect(await steps()).toEqual([2, 3]);
  });

  test('several processes at once apply everything once', async () => {
    const applied = await Promise.all([1, 2, 3, 4].map(() => run([one, two, three])));
    expect(applied.flat().sort()).toEqual(['0001_step', '0002_step', '0003_step']);
    expect(await steps()).toEqual([2, 3]);
  });

  test('a failing one changes nothing, names itself, and is applied once it is mended', async () => {
    await run([one]);
    const broken = migration(2, 'insert into steps values (2); select 1/0');
    await expect(run([one, broken])).rejects.toThrow('0002_step failed: division by zero');
    expect(await steps()).toEqual([]);
    await run([one, two]);
    expect(await steps()).toEqual([2]);
  });

  test('one that was changed after it was applied is an error', async () => {
    await run([one]);
    const changed = migration(1, 'create table steps (n bigint)');
    await expect(run([changed])).rejects.toMatchObject({ code: 'migration_changed', detail: '0001_step' });
  });

  test('a database of a newer release is an error', async () => {
    await run([one, two]);
    await expect(run([one])).rejects.toMatchObject({ code: 'database_newer' });
  });

  test('one with a lower number than the newest is applied when its component arrives later', async () => {
    await run([one, three]);
    expect(await run([one, two, three])).toEqual(['0002_step']);
  });
});

describe('finding migrations', () => {
  let source: string;
  beforeAll(async () => {
    source = await mkdtemp(join(tmpdir(), 'solyx-migrations-'));
  });
  afterAll(() => rm(source, { recursive: true }));

  async function put(component: string, name: string): Promise<void> {
    await mkdir(join(source, component, 'migrations'), { recursive: true });
    await writeFile(join(source, component, 'migrations', name), 'select 1');
  }

  test('takes those of all components in numeric order, and nothing that is not in a migrations folder', async () => {
    await put('drm/tracker', '0020_nodes.sql');
    await put('common/database', '0001_feeds.sql');
    await writeFile(join(source, 'drm', '0005_stray.sql'), 'select 1');
    const found = await findMigrations(source);
    expect(found.map((one) => one.name)).toEqual(['0001_feeds', '0020_nodes']);
  });

  test('refuses a number that two components use', async () => {
    await put('billing', '0020_ledger.sql');
    await expect(findMigrations(source)).rejects.toMatchObject({ code: 'migration_invalid' });
    await rm(join(source, 'billing'), { recursive: true });
  });

  test('refuses a name that is not NNNN_words', async () => {
    await put('billing', '21-ledger.sql');
    await expect(findMigrations(source)).rejects.toMatchObject({ code: 'migration_invalid' });
  });
});

test('the migrations of this repository are well named and numbered', async () => {
  const found = await findMigrations();
  expect(found[0]?.name).toBe('0001_feeds');
});
