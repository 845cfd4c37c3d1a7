/**
 * Every table with a tenant column is closed the same way, whoever wrote its migration (contracts §7).
 */
import { afterAll, beforeAll, expect, test } from 'vitest';
import { withClient } from '../../src/common/database/connection.ts';
import { createTestDatabase, type TestDatabase } from '../support/database.ts';

interface TenantTable {
  name: string;
  enabled: boolean;
  forced: boolean;
  policies: string[];
}

let database: TestDatabase;
let tables: TenantTable[];

beforeAll(async () => {
  database = await createTestDatabase({ poolSize: 1 });
  tables = await withClient(database.admin, async (client) => {
    const { rows } = await client.query<TenantTable>(`
      select c.relname as name, c.relrowsecurity as enabled, c.relforcerowsecurity as forced,
        array(
          select concat_ws(' | ', p.polname, p.polcmd, p.polpermissive, p.polroles::regrole[]::text,
            pg_get_expr(p.polqual, p.polrelid), pg_get_expr(p.polwithcheck, p.polrelid))
          from pg_policy p where p.polrelid = c.oid order by p.polname
        ) as policies
      from pg_class c
      join pg_attribute a on a.attrelid = c.oid and a.attname = 'tenant' and not a.attisdropped
      where c.relkind in ('r', 'p') and c.relnamespace = 'public'::regnamespace
      order by c.relname`);
    return rows;
  });
});
afterAll(() => database.drop());

test('there are tenant tables', () => {
  expect(tables.map((table) => table.name)).toContain('feed_events');
});

test('every table with a tenant has row-level security enabled and forced, with exactly the two policies', () => {
  const tenant = `(tenant = current_setting('solyx.tenant'::text, true))`;
  const policies = [
    'system | * | t | {solyx_system} | true | true',
    `tenant | * | t | {solyx_app} | ${tenant} | ${tenant}`,
  ];
  expect(tables).toEqual(tables.map(({ name }) => ({ name, enabled: true, forced: true, policies })));
});

test('what holds jobs of all tenants in one table is closed to requests', async () => {
  const { rows } = await withClient(database.admin, (client) =>
    client.query(`
      select t.name from unnest(array['metapod_commands', 'metapod_reports', 'metapod_sessions', 'feed_dirty']) as t (name)
      where has_table_privilege('solyx_app', t.name, 'select, update, delete')`),
  );
  expect(rows).toEqual([]);
});

test('what belongs to no tenant is not written by requests, but for dirty keys', async () => {
  const { rows } = await withClient(database.admin, (client) =>
    client.query<{ may: string }>(`
      select c.relname || ' ' || p.privilege as may
      from pg_class c, unnest(array['insert', 'update', 'delete', 'truncate']) as p (privilege)
      where c.relkind in ('r', 'p') and c.relnamespace = 'public'::regnamespace
        and not exists (select from pg_attribute a where a.attrelid = c.oid and a.attname = 'tenant' and not a.attisdropped)
        and has_table_privilege('solyx_app', c.oid, p.privilege)
      order by 1`),
  );
  expect(rows.map(({ may }) => may)).toEqual(['feed_dirty insert']);
});

test('every row of a tenant table has a tenant', async () => {
  const { rows } = await withClient(database.admin, (client) =>
    client.query(`
      select c.relname from pg_class c
      join pg_attribute a on a.attrelid = c.oid and a.attname = 'tenant' and not a.attnotnull
      where c.relkind in ('r', 'p') and c.relnamespace = 'public'::regnamespace`),
  );
  expect(rows).toEqual([]);
});
