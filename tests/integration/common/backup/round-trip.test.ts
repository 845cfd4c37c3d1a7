import { createHash } from 'node:crypto';
import { mkdtempSync, rmSync, statSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join, resolve } from 'node:path';
import type pg from 'pg';
import { afterAll, beforeAll, describe, expect, it } from 'vitest';
import { quoted, tablesInOrder } from '../../../../src/common/backup/catalog.ts';
import { backup, readHeader, restore } from '../../../../src/common/backup/index.ts';
import { hashOf, openDirectoryStore } from '../../../../src/common/blobs/index.ts';
import { withClient } from '../../../../src/common/database/connection.ts';
import { withSystem } from '../../../../src/common/database/index.ts';
import { silentLogger } from '../../../../src/common/logger.ts';
import { createTestDatabase, type TestDatabase } from '../../../support/database.ts';

/** A database of release 0.1.0 with two tenants, succeeded, failed, cancelled, queued and running jobs, and an array. */
const fixture = resolve(import.meta.dirname, '../../../fixtures/database/0.1.0.backup');
const folder = mkdtempSync(join(tmpdir(), 'solyx-backup-'));
const file = join(folder, 'second.backup');

let first: TestDatabase;
let second: TestDatabase;

beforeAll(async () => {
  [first, second] = await Promise.all([createTestDatabase(), createTestDatabase()]);
});
afterAll(async () => {
  await Promise.all([first.drop(), second.drop()]);
  rmSync(folder, { recursive: true, force: true });
});

const restoreInto = (target: TestDatabase, path: string, options: { replace?: boolean; blobs?: string } = {}) =>
  restoring(target, path, options);

/** A restore is for a database that nobody is connected to; a test's pools are, and do not mind to lose that. */
const disconnect = (target: TestDatabase) =>
  withClient({ ...target.admin, database: 'postgres' }, (client) =>
    client.query('select pg_terminate_backend(pid) from pg_stat_activity where datname = $1', [target.name]),
  );

async function restoring(target: TestDatabase, path: string, options: { replace?: boolean; blobs?: string }) {
  await disconnect(target);
  return restore({
    admin: { ...target.admin, database: 'postgres' },
    database: target.name,
    path,
    replace: options.replace ?? false,
    blobs: options.blobs === undefined ? undefined : await openDirectoryStore(options.blobs),
    logger: silentLogger,
    settle: async () => {},
  });
}

const look = <Row extends pg.QueryResultRow>(target: TestDatabase, sql: string) =>
  withClient(target.admin, async (client) => (await client.query<Row>(sql)).rows);

/** Every table with a digest of its rows in any order, without the transaction numbers. */
async function contentOf(target: TestDatabase): Promise<Record<string, string>> {
  return withClient(target.admin, async (client) => {
    const content: Record<string, string> = {};
    for (const { name, columns } of await tablesInOrder(client)) {
      const kept = columns.filter(({ type }) => type !== 'xid8').map((column) => quoted(column.name));
      const { rows } = await client.query<{ row: string }>(
        `select row(${kept.join(', ')})::text as row from ${quoted(name)} order by 1`,
      );
      content[name] = `${rows.length} ${createHash('sha256').update(JSON.stringify(rows)).digest('hex')}`;
    }
    return content;
  });
}

const schemaOf = (target: TestDatabase) =>
  look(
    target,
    `select c.relname, c.relkind, c.relrowsecurity, c.relforcerowsecurity, c.relacl::text,
            (select jsonb_agg(jsonb_build_array(a.attname, format_type(a.atttypid, a.atttypmod), a.attnotnull) order by a.attname)
             from pg_attribute a where a.attrelid = c.oid and a.attnum > 0 and not a.attisdropped) as columns,
            (select jsonb_agg(pg_get_constraintdef(k.oid) order by k.conname) from pg_constraint k where k.conrelid = c.oid) as checks,
            (select jsonb_agg(jsonb_build_array(t.tgname, t.tgenabled) order by t.tgname) from pg_trigger t
             where t.tgrelid = c.oid and not t.tgisinternal) as triggers
     from pg_class c where c.relnamespace = 'public'::regnamespace order by c.relname`,
  );

describe('backup and restore', () => {
  it('the database of the previous release is upgraded, and its schema is that of a fresh one', async () => {
    const fresh = await schemaOf(first);
    const restored = await restoreInto(first, fixture);
    expect(restored.header).toMatchObject({ release: '0.1.0' });
    expect(restored.rows).toBe(273);
    expect(await schemaOf(first)).toEqual(fresh);
    const states = await look<{ state: string; count: bigint }>(
      first,
      'select state, count(*) from cmo_jobs group by state order by state',
    );
    expect(states.map(({ state, count }) => `${state} ${count}`)).toEqual([
      'cancelled 1',
      'failed 2',
      'queued 1',
      'running 1',
      'succeeded 5',
    ]);
  }, 60_000);

  it('a backup of it, restored elsewhere, has the same rows in every table', async () => {
    const store = await openDirectoryStore(join(folder, 'blobs'));
    const bytes = Buffer.from('a bundle');
    await store.put(bytes, hashOf(bytes));
    await look(
      first,
      `insert into blob_objects (tenant, hash, size_bytes)
       select id, hash, 8 from cmo_tenants, (values ('${hashOf(bytes)}'), ('${'0'.repeat(64)}')) as v (hash) where operator`,
    );
    const counts = await backup({
      login: first.logins.system,
      path: file,
      release: '9.9.9',
      now: new Date('2026-11-22T12:00:00Z'),
      blobs: store,
    });
    // Those of the fixture were left out of it, and one never was in the store.
    expect(counts).toMatchObject({ blobs: 1, blobBytes: 8 });
    expect(counts.blobsMissing).toBeGreaterThan(0);
    expect(statSync(file).mode & 0o777).toBe(0o600);

    const restored = await restoreInto(second, file, { blobs: join(folder, 'other-blobs') });
    expect(restored).toMatchObject({ blobs: 1, rows: counts.rows });
    expect(await contentOf(second)).toEqual(await contentOf(first));
    expect(await schemaOf(second)).toEqual(await schemaOf(first));
    expect(await (await openDirectoryStore(join(folder, 'other-blobs'))).has(hashOf(bytes))).toBe(true);
  }, 60_000);

  it('numbers given out after a restore are far above those that nodes may know', async () => {
    const of = async (target: TestDatabase) =>
      (await look<{ last: bigint }>(target, 'select last_value as last from cmo_attempt_tokens'))[0]!.last;
    expect((await of(second)) - (await of(first))).toBe(10n ** 12n);
    const ids = await look<{ id: bigint }>(
      second,
      `insert into feed_events (tenant, kind, subject, revision) values ('t', 'k', 's', 1) returning id`,
    );
    expect(ids[0]!.id).toBeGreaterThan(10n ** 12n);
  });

  it('events count as seen by every cursor, and policies hold again', async () => {
    const [events] = await look<{ foreign: bigint }>(
      second,
      `select count(*) filter (where xid <> '0' and tenant <> 't') as foreign from feed_events`,
    );
    expect(events!.foreign).toBe(0n);
    const db = await second.open();
    try {
      await expect(db.app.query('select from cmo_jobs')).resolves.toMatchObject({ rowCount: 0 });
      const seen = await withSystem(db, async (tx) => (await tx.query('select from cmo_jobs')).rows.length);
      expect(seen).toBe(10);
    } finally {
      await db.close();
    }
  });

  it('a database with content is replaced only when that is said, and stays as it is otherwise', async () => {
    const before = await contentOf(second);
    await expect(restoreInto(second, file)).rejects.toMatchObject({ code: 'restore_target_not_empty' });
    expect(await contentOf(second)).toEqual(before);
    await look(second, `delete from feed_events`);
    await restoreInto(second, file, { replace: true });
    expect(await contentOf(second)).toEqual(await contentOf(first));
  }, 60_000);

  it('a restore that fails in the middle leaves what was there', async () => {
    const before = await contentOf(second);
    const failing = restore({
      admin: { ...second.admin, database: 'postgres' },
      database: second.name,
      path: file,
      replace: true,
      logger: silentLogger,
      settle: () => Promise.reject(new Error('the disk is gone')),
    });
    await expect(failing).rejects.toThrow('the disk is gone');
    expect(await contentOf(second)).toEqual(before);
  }, 60_000);

  it('somebody who is connected is not thrown out: the restore is refused and says why', async () => {
    const before = await contentOf(second);
    const db = await second.open();
    try {
      const refused = restore({
        admin: { ...second.admin, database: 'postgres' },
        database: second.name,
        path: file,
        replace: true,
        logger: silentLogger,
        settle: async () => {},
      });
      await expect(refused).rejects.toMatchObject({
        code: 'conflict',
        detail: expect.stringMatching(/Stop every Solyx process/),
      });
    } finally {
      await db.close();
    }
    expect(await contentOf(second)).toEqual(before);
  }, 60_000);

  it('what is no backup, or one of a newer release, is refused with a code', async () => {
    const other = join(folder, 'other');
    writeFileSync(other, 'hello');
    await expect(readHeader(other)).rejects.toMatchObject({ code: 'backup_damaged' });
    await look(second, `insert into schema_migrations (number, name, sha256) values (9999, '9999_future', 'x')`);
    const newer = join(folder, 'newer.backup');
    await backup({ login: second.logins.system, path: newer, release: '99.0.0', now: new Date() });
    await expect(readHeader(newer)).rejects.toMatchObject({
      code: 'backup_newer',
      detail: expect.stringMatching(/99\.0\.0/),
    });
  });

  it('nothing of the schema is forgotten: each table is in the backup or is left out for a reason', async () => {
    const inBackup = new Set(
      (await withClient(first.admin, (client) => tablesInOrder(client))).map(({ name }) => name),
    );
    const all = await look<{ name: string }>(
      first,
      `select relname as name from pg_class
       where relnamespace = 'public'::regnamespace and relkind in ('r', 'p') and not relispartition and relpersistence = 'p'`,
    );
    expect(
      all
        .map(({ name }) => name)
        .filter((name) => !inBackup.has(name))
        .sort(),
    ).toEqual([
      'cmo_owners',
      'feed_dirty',
      'feed_horizons',
      'metapod_channels',
      'metapod_sessions',
      'monitoring_cursors',
      'schema_migrations',
    ]);
  });
});
