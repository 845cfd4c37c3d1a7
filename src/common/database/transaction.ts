/**
 * Transactions, the only way to rows: `withTenant` as one tenant, `withSystem` as the loops.
 *
 * The tenant is set for the transaction, in the same round trip as BEGIN, and the policies of every tenant table compare with it
 * (contracts §7): outside of a transaction the app login sees no row at all.
 *
 * A lost connection, a deadlock or a serialization failure before COMMIT has changed nothing, so the whole function is run again,
 * a few times, with jitter. It must therefore have no effect outside the database; what should follow a commit goes to
 * `afterCommit`. When the connection is lost *during* COMMIT nobody knows the outcome: that is retried only where the caller
 * says that running twice does no harm (`idempotent`).
 */
import { Kysely, PostgresDialect, type PostgresPoolClient } from 'kysely';
import pg from 'pg';
import { SolyxError } from '../errors/index.ts';
import { classify, toSolyxError } from './failures.ts';
import type { Database } from './pools.ts';
import type { Queryable } from './queryable.ts';
import { backoff } from './retry.ts';
import type { Tables } from './tables.ts';

export interface Tx extends Queryable {
  /** The same transaction for filters and CRUD. */
  readonly kysely: Kysely<Tables>;
  /** Runs `fn` once the commit is certain (wake-ups, metrics); what it throws is logged. */
  afterCommit(fn: () => void): void;
}

export interface TransactionOptions {
  readonly isolation?: 'read committed' | 'repeatable read' | 'serializable';
  readonly readOnly?: boolean;
  /** Running `fn` twice does no harm, so a lost COMMIT may be repeated. */
  readonly idempotent?: boolean;
  /** Waits for locks at most so long, milliseconds > 0; then SQLSTATE 55P03. Default: the statement timeout. */
  readonly lockTimeoutMs?: number;
  /**
   * Its statements, and the checks of foreign keys in them, go by indexes only. For hot paths that read by key: a plan that was made, and
   * kept by the connection, while a table was small reads all of it for every row when it has grown.
   */
  readonly byIndex?: boolean;
}

const mostAttempts = 7;

/** Runs `fn` in a transaction that sees and changes only this tenant's rows. */
export function withTenant<T>(
  db: Database,
  tenant: string,
  fn: (tx: Tx) => Promise<T>,
  options: TransactionOptions = {},
): Promise<T> {
  if (tenant === '') throw new RangeError('a tenant has a name');
  return retrying(db, db.app, `select set_config('solyx.tenant', ${pg.escapeLiteral(tenant)}, true)`, fn, options);
}

/** Runs `fn` in a transaction that sees the rows of all tenants: for loops, never on behalf of a request. */
export function withSystem<T>(db: Database, fn: (tx: Tx) => Promise<T>, options: TransactionOptions = {}): Promise<T> {
  return retrying(db, db.system, '', fn, options);
}

async function retrying<T>(
  db: Database,
  pool: pg.Pool,
  prelude: string,
  fn: (tx: Tx) => Promise<T>,
  options: TransactionOptions,
): Promise<T> {
  for (let attempt = 1; ; attempt++) {
    const run = new Run(db);
    try {
      return await run.execute(pool, beginStatement(options, prelude), fn);
    } catch (error) {
      const repeatable = run.mayRepeat || (run.outcomeUnknown && options.idempotent === true);
      if (!repeatable || attempt === mostAttempts) {
        if (run.outcomeUnknown) throw unknownOutcome(error);
        throw run.isDatabaseError ? toSolyxError(error) : error;
      }
      await backoff(attempt);
    }
  }
}

function beginStatement(options: TransactionOptions, prelude: string): string {
  const isolation = options.isolation ? ` isolation level ${options.isolation}` : '';
  const lockTimeout = options.lockTimeoutMs ? `; set local lock_timeout = ${Math.ceil(options.lockTimeoutMs)}` : '';
  const byIndex = options.byIndex ? '; set local enable_seqscan = off' : '';
  return `begin${isolation}${options.readOnly ? ' read only' : ''}${lockTimeout}${byIndex}${prelude ? `; ${prelude}` : ''}`;
}

function unknownOutcome(cause: unknown): SolyxError {
  return new SolyxError('database_unavailable', {
    detail: 'The connection was lost during the commit, so the change may or may not have been made.',
    cause,
    retryAfterSeconds: 1,
  });
}

/** One try. What it learns about its failure decides whether there may be another. */
class Run {
  /** Certain: nothing was changed, and the cause was one that passes. */
  mayRepeat = false;
  outcomeUnknown = false;
  isDatabaseError = false;
  readonly #db: Database;
  readonly #hooks: (() => void)[] = [];

  constructor(db: Database) {
    this.#db = db;
  }

  async execute<T>(pool: pg.Pool, begin: string, fn: (tx: Tx) => Promise<T>): Promise<T> {
    const client = await this.#watch(() => pool.connect());
    let broken = true;
    try {
      await this.#watch(() => client.query(begin));
      const tx = this.#transaction(client);
      let result: T;
      try {
        result = await fn(tx);
      } catch (error) {
        broken = !(await this.#rollback(client));
        throw error;
      }
      await this.#commit(client);
      broken = false;
      this.#runHooks();
      return result;
    } finally {
      client.release(broken);
    }
  }

  #transaction(client: pg.PoolClient): Tx {
    const query: Queryable['query'] = <Row extends object>(text: string, values?: unknown[]) =>
      this.#watch(() => client.query<Row & pg.QueryResultRow>(text, values));
    let kysely: Kysely<Tables> | undefined;
    return {
      query,
      afterCommit: (hook) => {
        this.#hooks.push(hook);
      },
      get kysely() {
        kysely ??= makeKysely(query);
        return kysely;
      },
    };
  }

  /** Runs something of the driver and remembers what its failure means. */
  async #watch<R>(fn: () => Promise<R>): Promise<R> {
    try {
      return await fn();
    } catch (error) {
      const failure = classify(error);
      this.isDatabaseError = true;
      if (failure === 'connection' || failure === 'conflict') this.mayRepeat = true;
      throw error;
    }
  }

  async #commit(client: pg.PoolClient): Promise<void> {
    let command: string;
    try {
      command = (await client.query('commit')).command;
    } catch (error) {
      const failure = classify(error);
      this.isDatabaseError = true;
      // A connection that was lost before COMMIT was sent has committed nothing.
      if (failure === 'connection' && !this.mayRepeat) this.outcomeUnknown = true;
      if (failure === 'conflict') this.mayRepeat = true;
      throw error;
    }
    // PostgreSQL answers the COMMIT of a failed transaction with ROLLBACK: somebody swallowed a statement's error.
    if (command === 'ROLLBACK') throw new Error('the transaction had failed before its commit; nothing was changed');
  }

  /** Whether the connection is fit for its next user. */
  async #rollback(client: pg.PoolClient): Promise<boolean> {
    return client.query('rollback').then(
      () => true,
      () => false,
    );
  }

  #runHooks(): void {
    for (const hook of this.#hooks) {
      try {
        hook();
      } catch (error) {
        this.#db.logger.error({ err: error }, 'a hook after a commit failed');
      }
    }
  }
}

/** Kysely over one open transaction: a pool that always hands out this connection and never ends it. */
function makeKysely(query: Queryable['query']): Kysely<Tables> {
  const client = { query, release: () => {} } as unknown as PostgresPoolClient;
  const pool = { connect: async () => client, end: async () => {}, options: {} };
  return new Kysely<Tables>({ dialect: new PostgresDialect({ pool }) });
}
