import { mkdtempSync, rmSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { afterAll, beforeAll, beforeEach, describe, expect, it } from 'vitest';
import {
  type BlobStore,
  collectBlobs,
  collectStray,
  hashOf,
  holdBlobs,
  openDirectoryStore,
  ownBlobs,
} from '../../../../src/common/blobs/index.ts';
import { withClient } from '../../../../src/common/database/connection.ts';
import { withSystem } from '../../../../src/common/database/index.ts';
import { createTestDatabase, type TestDatabase } from '../../../support/database.ts';

const folder = mkdtempSync(join(tmpdir(), 'solyx-collect-'));
let database: TestDatabase;
let store: BlobStore;

beforeAll(async () => {
  database = await createTestDatabase();
  store = await openDirectoryStore(folder);
  // Stands for the views of the components: who uses what, until so long after the end.
  await admin('create table uses (tenant text, hash text, manifest boolean, ended_at timestamptz)');
  await admin('grant select on uses to solyx_system');
});
beforeEach(() => admin('truncate uses; delete from blob_parts; delete from blob_objects'));
afterAll(async () => {
  await database.drop();
  rmSync(folder, { recursive: true, force: true });
});

const admin = (sql: string, values: unknown[] = []) =>
  withClient(database.admin, async (client) => (await client.query(sql, values)).rows);
const collect = () => collectBlobs({ db: database.db, store, uses: ['uses'], keptDays: 30 });

/** A blob that was put long ago, in row and in bytes. */
async function old(text: string, tenant = 'ten_a'): Promise<string> {
  const bytes = Buffer.from(text);
  const hash = hashOf(bytes);
  await store.put(bytes, hash);
  await withSystem(database.db, (tx) => ownBlobs(tx, tenant, [{ hash, sizeBytes: bytes.length }]));
  await admin(`update blob_objects set referenced_at = now() - interval '3 days' where tenant = $1 and hash = $2`, [
    tenant,
    hash,
  ]);
  await age(hash);
  return hash;
}

async function age(hash: string): Promise<void> {
  const { utimes } = await import('node:fs/promises');
  const then = new Date(Date.now() - 3 * 86_400_000);
  await utimes(join(folder, hash.slice(0, 2), hash.slice(2, 4), hash), then, then);
}

const use = (hash: string, options: { manifest?: boolean; endedDaysAgo?: number; tenant?: string } = {}) =>
  admin(`insert into uses values ($1, $2, $3, now() - make_interval(days => $4::int))`, [
    options.tenant ?? 'ten_a',
    hash,
    options.manifest ?? false,
    options.endedDaysAgo ?? null,
  ]);

const rowsOf = async (hash: string) => (await admin('select from blob_objects where hash = $1', [hash])).length;

describe('collecting blobs', () => {
  it('deletes what nobody uses, row and bytes, and says how much', async () => {
    const hash = await old('unused');
    expect(await collect()).toEqual({ blobs: 1, bytes: 6n });
    expect(await store.has(hash)).toBe(false);
    expect(await rowsOf(hash)).toBe(0);
  });

  it('keeps what is used now, and what was used until lately', async () => {
    const [running, lately, longAgo] = [await old('running'), await old('lately'), await old('long ago')];
    await use(running);
    await use(lately, { endedDaysAgo: 29 });
    await use(longAgo, { endedDaysAgo: 31 });
    await collect();
    expect(await Promise.all([running, lately, longAgo].map((hash) => store.has(hash)))).toEqual([true, true, false]);
  });

  it('spares what was put or was about to be used within a day', async () => {
    const fresh = Buffer.from('fresh');
    await store.put(fresh, hashOf(fresh));
    await withSystem(database.db, (tx) => ownBlobs(tx, 'ten_a', [{ hash: hashOf(fresh), sizeBytes: 5 }]));
    const held = await old('about to be used');
    expect(await withSystem(database.db, (tx) => holdBlobs(tx, 'ten_a', [held, '0'.repeat(64)]))).toEqual([
      '0'.repeat(64),
    ]);
    await collect();
    expect(await store.has(hashOf(fresh))).toBe(true);
    expect(await store.has(held)).toBe(true);
  });

  it('keeps the chunks of a used manifest, and takes them with it once it is unused', async () => {
    const chunks = [await old('chunk one'), await old('chunk two')];
    const manifest = await old(
      JSON.stringify({
        version: 1,
        files: chunks.map((hash, n) => ({ path: `f${n}`, sizeBytes: 9, mode: 0o644, chunks: [hash] })),
      }),
    );
    await use(manifest, { manifest: true });
    expect((await collect()).blobs).toBe(0);
    await admin('truncate uses');
    expect((await collect()).blobs).toBe(3);
    expect(await Promise.all([...chunks, manifest].map((hash) => store.has(hash)))).toEqual([false, false, false]);
  });

  it('a chunk that two manifests name stays until both are gone', async () => {
    const chunk = await old('shared chunk');
    const manifestOf = (path: string) =>
      old(JSON.stringify({ version: 1, files: [{ path, sizeBytes: 12, mode: 0o644, chunks: [chunk] }] }));
    const [first, second] = [await manifestOf('a'), await manifestOf('b')];
    await use(first, { manifest: true });
    await use(second, { manifest: true });
    await collect();
    await admin('delete from uses where hash = $1', [first]);
    await collect();
    expect(await Promise.all([chunk, first, second].map((hash) => store.has(hash)))).toEqual([true, false, true]);
  });

  it('keeps the bytes as long as one tenant has them', async () => {
    const hash = await old('of two');
    await old('of two', 'ten_b');
    await use(hash, { tenant: 'ten_b' });
    await collect();
    expect(await rowsOf(hash)).toBe(1);
    expect(await store.has(hash)).toBe(true);
  });

  it('bytes that belong to nobody go when they are a day old', async () => {
    const stray = Buffer.from('of a crash');
    await store.put(stray, hashOf(stray));
    await collectStray({ db: database.db, store });
    expect(await store.has(hashOf(stray))).toBe(true);
    await age(hashOf(stray));
    const owned = await old('owned');
    expect(await collectStray({ db: database.db, store })).toBe(1);
    expect(await store.has(hashOf(stray))).toBe(false);
    expect(await store.has(owned)).toBe(true);
  });

  it('a blob whose removal a crash cut short is back after the next opening', async () => {
    const hash = await old('half removed');
    const { rename } = await import('node:fs/promises');
    await rename(join(folder, hash.slice(0, 2), hash.slice(2, 4), hash), join(folder, 'incoming', `taken.${hash}`));
    expect(await store.has(hash)).toBe(false);
    expect(await (await openDirectoryStore(folder)).has(hash)).toBe(true);
  });
});
