/**
 * Forward-only migrations: plain SQL files `src/<component>/migrations/NNNN_name.sql`, each in one transaction.
 *
 * Numbers are unique over all components and files run in their order, so that a component may rely on the tables of another that
 * came before. What was applied is recorded with its hash: a file that changed afterwards is an error rather than a silent
 * difference between installations. Any number of processes may migrate at once; an advisory lock lets one work.
 *
 * Row-level security is forced, so the owner sees no row of a tenant table: an UPDATE of existing rows would change none and say
 * nothing. A migration that moves data wraps it in `alter table … no force row level security` and `… force …`.
 */
import { createHash } from 'node:crypto';
import { readdir, readFile } from 'node:fs/promises';
import { basename, dirname, join } from 'node:path';
import { fileURLToPath } from 'node:url';
import type pg from 'pg';
import { SolyxError } from '../errors/index.ts';
import type { Logger } from '../logger.ts';
import { withClient } from './connection.ts';

export interface Migration {
  /** 1..9999, unique over all components. */
  readonly number: number;
  /** File name without `.sql`. */
  readonly name: string;
  readonly sha256: string;
  readonly sql: string;
}

/** The `src` directory of this installation. */
export const sourceDirectory = fileURLToPath(new URL('../..', import.meta.url));

const migrationLock = 7_302_215_002;

/**
 * Finds the migrations below a directory, in numeric order.
 *
 * @throws SolyxError `migration_invalid` for a wrong name or a number used twice
 */
export async function findMigrations(directory: string = sourceDirectory): Promise<Migration[]> {
  const entries = await readdir(directory, { recursive: true });
  const files = entries.filter((path) => path.endsWith('.sql') && basename(dirname(path)) === 'migrations');
  const migrations = await Promise.all(files.map((path) => readMigration(directory, path)));
  migrations.sort((a, b) => a.number - b.number);
  migrations.forEach((migration, index) => {
    const next = migrations[index + 1];
    if (next?.number === migration.number) {
      throw new SolyxError('migration_invalid', { detail: `${migration.name} and ${next.name} share a number.` });
    }
  });
  return migrations;
}

async function readMigration(directory: string, path: string): Promise<Migration> {
  const name = basename(path, '.sql');
  const number = Number(/^(\d{4})_[a-z0-9_]+$/.exec(name)?.[1]);
  if (!(number > 0)) throw new SolyxError('migration_invalid', { detail: path });
  const sql = await readFile(join(directory, path), 'utf8');
  return { number, name, sql, sha256: createHash('sha256').update(sql).digest('hex') };
}

/**
 * Brings a database to the newest number. Returns the names of what was applied now.
 *
 * @param owner login of `solyx_owner`
 * @throws SolyxError `migration_changed`, `database_newer`, `migration_invalid`
 */
export async function migrate(
  owner: pg.ClientConfig,
  logger: Logger,
  migrations?: readonly Migration[],
): Promise<string[]> {
  const wanted = migrations ?? (await findMigrations());
  return withClient(owner, async (client) => {
    await client.query('select pg_advisory_lock($1)', [migrationLock]);
    await client.query(`
      create table if not exists schema_migrations (
        number int primary key,
        name text not null,
        sha256 text not null,
        applied_at timestamptz not null default now()
      )`);
    const recorded = await client.query<{ number: number; name: string; sha256: string }>(
      'select number, name, sha256 from schema_migrations order by number',
    );
    checkHistory(wanted, recorded.rows);
    const done = new Set(recorded.rows.map((row) => row.number));
    const applied: string[] = [];
    for (const migration of wanted) {
      if (done.has(migration.number)) continue;
      await apply(client, migration);
      logger.info({ migration: migration.name }, 'migrated');
      applied.push(migration.name);
    }
    return applied;
  });
}

function checkHistory(
  wanted: readonly Migration[],
  recorded: readonly { number: number; name: string; sha256: string }[],
): void {
  const known = new Map(wanted.map((migration) => [migration.number, migration]));
  for (const row of recorded) {
    const migration = known.get(row.number);
    if (!migration) throw new SolyxError('database_newer', { detail: `It has migration ${row.name}.` });
    if (migration.sha256 !== row.sha256) throw new SolyxError('migration_changed', { detail: row.name });
  }
}

async function apply(client: pg.Client, migration: Migration): Promise<void> {
  try {
    await client.query('begin');
    await client.query(migration.sql);
    await client.query('insert into schema_migrations (number, name, sha256) values ($1, $2, $3)', [
      migration.number,
      migration.name,
      migration.sha256,
    ]);
    await client.query('commit');
  } catch (error) {
    await client.query('rollback').catch(() => {});
    throw new Error(`migration ${migration.name} failed: ${(error as Error).message}`, { cause: error });
  }
}
