import { afterAll, beforeAll, describe, expect, test } from 'vitest';
import { withClient } from '../../../../src/common/database/connection.ts';
import { withSystem, withTenant } from '../../../../src/common/database/index.ts';
import { createTestDatabase, type TestDatabase } from '../../../support/database.ts';

let database: TestDatabase;

beforeAll(async () => {
  database = await createTestDatabase();
  await withClient(database.admin, async (client) => {
    await client.query('create table counters (id int primary key, n int not null)');
    await client.query('insert into counters values (1, 0), (2, 0)');
    await client.query('grant all on counters to solyx_app, solyx_system');
  });
});
afterAll(() => database.drop());

const counter = async (id: number) =>
  (await database.db.system.query<{ n: number }>('select n from counters where id = $1', [id])).rows[0]!.n;

/** Ends every session of a login on this database, as an operator or a failover would. */
const terminate = (login: string) =>
  withClient(database.admin, (client) =>
    client.query('select pg_terminate_backend(pid) from pg_stat_activity where datname = $1 and usename = $2', [
      database.name,
      login,
    ]),
  );

describe('values', () => {
  test('int8 is bigint, numeric is text, timestamptz is a Date, dates stay text', async () => {
    const { rows } = await database.db.system.query(`
      select 9007199254740993::int8 as big, 0.10::numeric as exact, timestamptz '2026-01-02T03:04:05Z' as at,
        date '2026-01-02' as day, array[1, null]::int8[] as bigs, array[1.50]::numeric[] as exacts`);
    expect(rows).toEqual([
      {
        big: 9007199254740993n,
        exact: '0.10',
        at: new Date('2026-01-02T03:04:05Z'),
        day: '2026-01-02',
        bigs: [1n, null],
        exacts: ['1.50'],
      },
    ]);
  });
});

describe('a transaction', () => {
  test('is rolled back when its function throws, and the error comes through', async () => {
    const failing = withSystem(database.db, async (tx) => {
      await tx.query('update counters set n = 100 where id = 1');
      throw new Error('changed my mind');
    });
    await expect(failing).rejects.toThrow('changed my mind');
    expect(await counter(1)).toBe(0);
  });

  test('runs what follows a commit only after a commit', async () => {
    const ran: string[] = [];
    await withSystem(database.db, async (tx) => {
      tx.afterCommit(() => ran.push('committed'));
      expect(ran).toEqual([]);
    });
    await withSystem(database.db, async (tx) => {
      tx.afterCommit(() => ran.push('rolled back'));
      throw new Error('no');
    }).catch(() => {});
    expect(ran).toEqual(['committed']);
  });

  test('cannot pretend to have committed after a swallowed error', async () => {
    const swallowing = withSystem(database.db, async (tx) => {
      await tx.query('update counters set n = 7 where id = 1');
      await tx.query('select 1/0').catch(() => {});
    });
    await expect(swallowing).rejects.toThrow('nothing was changed');
    expect(await counter(1)).toBe(0);
  });

  test('is the same one for Kysely', async () => {
    await withTenant(database.db, 'acme', async (tx) => {
      await tx.kysely
        .insertInto('feed_events')
        .values({ tenant: 'acme', kind: 'job.changed', subject: 'job_k', revision: 1n })
        .execute();
      const { rows } = await tx.query(`select revision from feed_events where subject = 'job_k'`);
      expect(rows).toEqual([{ revision: 1n }]);
      throw new Error('undo');
    }).catch((error: Error) => expect(error.message).toBe('undo'));
    const { rows } = await database.db.system.query(`select * from feed_events where subject = 'job_k'`);
    expect(rows).toEqual([]);
  });
});

describe('what passes is retried', () => {
  test('two that deadlock both succeed', async () => {
    let tries = 0;
    let arrived = 0;
    const meet = Promise.withResolvers<void>();
    const both = (first: number, second: number) =>
      withSystem(database.db, async (tx) => {
        tries++;
        await tx.query('update counters set n = n + 1 where id = $1', [first]);
        // Both hold their first row before either asks for its second; later tries find the meeting over.
        if (++arrived >= 2) meet.resolve();
        await meet.promise;
        await tx.query('update counters set n = n + 1 where id = $1', [second]);
      });
    const before = [await counter(1), await counter(2)];
    await Promise.all([both(1, 2), both(2, 1)]);
    expect([await counter(1), await counter(2)]).toEqual([before[0]! + 2, before[1]! + 2]);
    expect(tries).toBeGreaterThanOrEqual(3);
  });

  test('serializable increments lose none', async () => {
    const before = await counter(1);
    await Promise.all(
      [1, 2, 3].map(() =>
        withSystem(
          database.db,
          async (tx) => {
            const { rows } = await tx.query<{ n: number }>('select n from counters where id = 1');
            await tx.query('update counters set n = $1 where id = 1', [rows[0]!.n + 1]);
          },
          { isolation: 'serializable' },
        ),
      ),
    );
    expect(await counter(1)).toBe(before + 3);
  });

  test('a connection that is lost before the commit', async () => {
    const before = await counter(2);
    let tries = 0;
    await withSystem(database.db, async (tx) => {
      tries++;
      await tx.query('update counters set n = n + 1 where id = 2');
      if (tries === 1) await terminate('solyx_system');
      await tx.query('select 1');
    });
    expect(tries).toBe(2);
    expect(await counter(2)).toBe(before + 1);
  });

  test('idle connections that were ended are replaced without anybody noticing', async () => {
    await Promise.all([1, 2, 3].map(() => withTenant(database.db, 'acme', (tx) => tx.query('select 1'))));
    await terminate('solyx_app');
    const { rows } = await withTenant(database.db, 'acme', (tx) => tx.query('select 1 as n'));
    expect(rows).toEqual([{ n: 1 }]);
  });
});

describe('what does not pass is told apart', () => {
  test('a constraint violation comes through as it is', async () => {
    const duplicate = withSystem(database.db, (tx) => tx.query('insert into counters values (1, 0)'));
    await expect(duplicate).rejects.toMatchObject({ code: '23505' });
  });

  test('an error of the function that looks like one of the network is not retried', async () => {
    let tries = 0;
    const failing = withSystem(database.db, async () => {
      tries++;
      throw Object.assign(new Error('no such file'), { code: 'ENOENT' });
    });
    await expect(failing).rejects.toThrow('no such file');
    expect(tries).toBe(1);
  });

  test('a statement that takes too long has a code', async () => {
    const slow = withSystem(database.db, async (tx) => {
      await tx.query('set local statement_timeout = 20');
      await tx.query('select pg_sleep(10)');
    });
    await expect(slow).rejects.toMatchObject({ code: 'database_timeout' });
  });

  test('a tenant has a name', () => {
    expect(() => withTenant(database.db, '', async () => {})).toThrow(RangeError);
  });
});
