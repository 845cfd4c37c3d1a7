import { afterAll, beforeAll, describe, expect, test } from 'vitest';
import { withClient } from '../../../../src/common/database/connection.ts';
import { withSystem, withTenant } from '../../../../src/common/database/index.ts';
import { createTestDatabase, type TestDatabase } from '../../../support/database.ts';

let database: TestDatabase;

beforeAll(async () => {
  database = await createTestDatabase();
});
afterAll(() => database.drop());

const insertEvent = `insert into feed_events (tenant, kind, subject, revision) values ($1, 'job.changed', 'job_1', 1)`;
const subjects = 'select tenant from feed_events order by tenant';

describe('a tenant table', () => {
  beforeAll(async () => {
    for (const tenant of ['acme', 'globex']) {
      await withTenant(database.db, tenant, (tx) => tx.query(insertEvent, [tenant]));
    }
  });

  test('shows a tenant its own rows only', async () => {
    const rows = await withTenant(database.db, 'acme', async (tx) => (await tx.query(subjects)).rows);
    expect(rows).toEqual([{ tenant: 'acme' }]);
  });

  test('shows system loops the rows of all', async () => {
    const rows = await withSystem(database.db, async (tx) => (await tx.query(subjects)).rows);
    expect(rows).toEqual([{ tenant: 'acme' }, { tenant: 'globex' }]);
  });

  test('refuses a row of another tenant', async () => {
    const foreign = withTenant(database.db, 'acme', (tx) => tx.query(insertEvent, ['globex']));
    await expect(foreign).rejects.toThrow('row-level security');
  });

  test('lets nobody change or delete a row of another tenant', async () => {
    const touched = await withTenant(database.db, 'acme', async (tx) => [
      (await tx.query(`update feed_events set kind = 'stolen' where tenant = 'globex'`)).rowCount,
      (await tx.query(`delete from feed_events where tenant = 'globex'`)).rowCount,
    ]);
    expect(touched).toEqual([0, 0]);
  });

  test('shows nothing outside of a transaction, also on a connection that served a tenant before', async () => {
    for (let i = 0; i < 5; i++) await withTenant(database.db, 'acme', (tx) => tx.query(subjects));
    const { rows } = await database.db.app.query(subjects);
    expect(rows).toEqual([]);
  });

  test('is closed to its owner too', async () => {
    const rows = await withClient(database.logins.owner, async (client) => (await client.query(subjects)).rows);
    expect(rows).toEqual([]);
  });

  test('cannot be opened by naming a tenant with SQL in it', async () => {
    const rows = await withTenant(database.db, `x', true), set_config('solyx.tenant','acme`, async (tx) => {
      return (await tx.query(subjects)).rows;
    });
    expect(rows).toEqual([]);
  });
});

test('the logins cannot go past row-level security', async () => {
  const { rows } = await database.db.system.query(
    `select count(*)::int as n from pg_roles where rolname like 'solyx\\_%' and (rolsuper or rolbypassrls or rolcreaterole)`,
  );
  expect(rows).toEqual([{ n: 0 }]);
});

test('requests can write dirty keys and not read them', async () => {
  await withTenant(database.db, 'acme', (tx) => tx.query(`insert into feed_dirty (kind, key) values ('job', 'job_1')`));
  const reading = withTenant(database.db, 'acme', (tx) => tx.query('select * from feed_dirty'));
  await expect(reading).rejects.toThrow('permission denied');
});
