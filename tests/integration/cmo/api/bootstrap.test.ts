import { mkdtemp, readdir, readFile, rm, stat } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { afterAll, beforeAll, beforeEach, describe, expect, it } from 'vitest';
import { bootstrap, makeAuthenticator } from '../../../../src/cmo/api/index.ts';
import { systemClock } from '../../../../src/common/clock.ts';
import { withSystem } from '../../../../src/common/database/index.ts';
import { createTestDatabase, type TestDatabase } from '../../../support/database.ts';

let database: TestDatabase;
let home: string;

beforeAll(async () => {
  database = await createTestDatabase();
});
afterAll(() => database.drop());
beforeEach(async () => {
  home = await mkdtemp(join(tmpdir(), 'solyx-home-'));
  return () => rm(home, { recursive: true, force: true });
});

const readKey = async () => (await readFile(join(home, 'admin.key'), 'utf8')).trim();
/** A fresh authenticator remembers nothing. */
const whose = (key: string) => makeAuthenticator(database.db, systemClock)(`Bearer ${key}`);

describe('the first start', () => {
  it('makes operator tenant, project and an admin key that only its owner may read', async () => {
    const made = await bootstrap(database.db, { home });
    expect(made).toMatchObject({ keyMade: true, adminKeyFile: join(home, 'admin.key') });
    expect((await stat(made.adminKeyFile)).mode & 0o777).toBe(0o600);
    expect(await readdir(home)).toEqual(['admin.key']);
    expect(await whose(await readKey())).toMatchObject({
      role: 'admin',
      operator: true,
      tenant: { id: made.tenantId, name: 'default' },
      project: { id: made.projectId, name: 'default' },
    });
  });

  it('is repeated without effect', async () => {
    const first = await bootstrap(database.db, { home });
    const key = await readKey();
    const second = await bootstrap(database.db, { home });
    expect(second).toEqual({ ...first, keyMade: false });
    expect(await readKey()).toBe(key);
  });

  it('replaces a lost key and revokes the old one', async () => {
    await bootstrap(database.db, { home });
    const lost = await readKey();
    await rm(join(home, 'admin.key'));
    expect(await bootstrap(database.db, { home })).toMatchObject({ keyMade: true });
    expect(await whose(await readKey())).toMatchObject({ role: 'admin' });
    await expect(whose(lost)).rejects.toMatchObject({ code: 'key_revoked' });
  });

  it('of a second data directory on the same database makes a key of its own and leaves the first one valid', async () => {
    await bootstrap(database.db, { home });
    const key = await readKey();
    const other = await mkdtemp(join(tmpdir(), 'solyx-home-'));
    await bootstrap(database.db, { home: other });
    expect((await readFile(join(other, 'admin.key'), 'utf8')).trim()).not.toBe(key);
    expect(await whose(key)).toMatchObject({ role: 'admin' });
    await rm(other, { recursive: true });
  });

  it('mends a start that was killed between file and commit', async () => {
    await bootstrap(database.db, { home });
    await withSystem(database.db, (tx) => tx.query('delete from cmo_api_keys'));
    expect(await bootstrap(database.db, { home })).toMatchObject({ keyMade: true });
    expect(await whose(await readKey())).toMatchObject({ role: 'admin' });
  });

  it('of several servers at once ends with one key that works', async () => {
    const made = await Promise.all(Array.from({ length: 5 }, () => bootstrap(database.db, { home })));
    expect(made.filter(({ keyMade }) => keyMade)).toHaveLength(1);
    expect(await whose(await readKey())).toMatchObject({ operator: true });
  });
});
