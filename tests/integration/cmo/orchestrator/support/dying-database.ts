/**
 * A database whose user is killed at its n-th statement: that statement and all later ones never happen, and the
 * transaction that was open is rolled back by the server, as when a process dies.
 */
import type pg from 'pg';
import type { Database } from '../../../../../src/common/database/index.ts';

export interface DyingDatabase {
  readonly db: Database;
  /** Statements that were run. */
  count(): number;
  died(): boolean;
  /** Resolves when the server has rolled back what was open: its locks are gone, and whoever passes over locked rows sees them. */
  buried(): Promise<void>;
}

/** @param statements how many it survives */
export function dyingDatabase(db: Database, statements: number): DyingDatabase {
  let used = 0;
  const rollbacks: Promise<unknown>[] = [];
  const spend = () => {
    used += 1;
    if (used > statements) throw new Error('killed');
  };
  const wrapClient = (client: pg.PoolClient): pg.PoolClient => {
    let released = false;
    const release = (broken?: boolean | Error) => {
      if (released) return;
      released = true;
      if (used <= statements) return client.release(broken);
      const rolledBack = client.query('rollback').catch(() => undefined);
      rollbacks.push(rolledBack.then(() => client.release(true)));
    };
    const query = async (text: string, values?: unknown[]) => {
      spend();
      return client.query(text, values);
    };
    return { query, release } as unknown as pg.PoolClient;
  };
  const system = {
    query: async (text: string, values?: unknown[]) => {
      spend();
      return db.system.query(text, values);
    },
    connect: async () => {
      spend();
      return wrapClient(await db.system.connect());
    },
  } as unknown as pg.Pool;
  return {
    db: { ...db, system },
    count: () => used,
    died: () => used > statements,
    buried: async () => void (await Promise.all(rollbacks)),
  };
}
