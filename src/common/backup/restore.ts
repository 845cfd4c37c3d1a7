/**
 * Makes a database from a backup.
 *
 * It is built beside the present one under another name: the schema of the backup's own migrations, its rows, the
 * migrations since. Only a whole one takes the name, in one transaction, so that a restore which fails or is killed leaves
 * what was there. Rows are loaded by the tables' owner with row-level security unforced inside the loading transaction, because
 * COPY cannot write through policies; nobody else can connect meanwhile.
 *
 * Numbers that were given out after the backup was made may be known to nodes: fencing tokens, command ids. Sequences
 * therefore go on far above (contracts §2, §3).
 */

import { Readable } from 'node:stream';
import { pipeline } from 'node:stream/promises';
import type pg from 'pg';
import { from as copyFrom } from 'pg-copy-streams';
import type { BlobStore } from '../blobs/index.ts';
import { withClient } from '../database/connection.ts';
import { findMigrations, initDatabase, type Migration, migrate } from '../database/index.ts';
import type { Queryable } from '../database/queryable.ts';
import { SolyxError } from '../errors/index.ts';
import type { Logger } from '../logger.ts';
import { type BackupHeader, backupVersion } from './backup.ts';
import { quoted } from './catalog.ts';
import { type Frame, readFrames } from './frames.ts';

export interface RestoreOptions {
  /** Login that may make databases. */
  readonly admin: pg.ClientConfig;
  /** Name of the database that is made. */
  readonly database: string;
  readonly path: string;
  /** Where blobs go; undefined: those of the backup are left out. */
  readonly blobs?: BlobStore | undefined;
  /** Whether a database with content is given up for this one. */
  readonly replace: boolean;
  readonly logger: Logger;
  /** What else must hold in what was restored; runs in the loading transaction, past every policy. */
  settle(client: Queryable): Promise<void>;
}

export interface Restored {
  readonly header: BackupHeader;
  readonly rows: number;
  readonly blobs: number;
}

/** More than any installation gives out between two backups; nine million restores fit. */
const sequenceGap = 10n ** 12n;

/** SQLSTATE of a database that somebody is connected to. */
const inUse = '55006';

/** Reads what a backup says of itself. @throws SolyxError `backup_damaged`, `backup_newer` */
export async function readHeader(path: string): Promise<BackupHeader> {
  const frames = readFrames(path);
  try {
    const first = await frames.next();
    if (first.done || first.value.kind !== 'header') throw notOurs(path);
    return await parseHeader(first.value, path);
  } finally {
    await frames.return(undefined);
  }
}

/**
 * Restores a backup as `database`, with the newest migrations.
 * @throws SolyxError `backup_damaged`, `backup_newer`, `restore_target_not_empty`; what was there is unchanged then
 */
export async function restore(options: RestoreOptions): Promise<Restored> {
  const { admin, database, path, logger } = options;
  const header = await readHeader(path);
  if (!options.replace && (await hasContent(admin, database))) {
    throw new SolyxError('restore_target_not_empty', `Database ${database} has tenants.`);
  }
  const building = `${database}_restoring`;
  await withClient(admin, (client) => client.query(`drop database if exists ${quoted(building)} with (force)`));
  const logins = await initDatabase(admin, building);
  const all = await findMigrations();
  await migrate(logins.owner, logger, await thoseOf(header, all));
  const counts = await withClient(logins.owner, (client) => load(client, options));
  await migrate(logins.owner, logger, all);
  await takeName(admin, building, database);
  return { header, ...counts };
}

async function thoseOf(header: BackupHeader, all: readonly Migration[]): Promise<Migration[]> {
  return all.filter(({ number }) => header.migrations.includes(number));
}

async function parseHeader({ bytes }: Frame, path: string): Promise<BackupHeader> {
  const header = JSON.parse(bytes.toString()) as BackupHeader;
  if (header.format !== 'solyx-backup') throw notOurs(path);
  const known = new Set((await findMigrations()).map(({ number }) => number));
  const unknown = header.migrations.filter((number) => !known.has(number));
  if (header.version > backupVersion || unknown.length > 0) {
    throw new SolyxError('backup_newer', `It was made by release ${header.release}.`);
  }
  return header;
}

async function hasContent(admin: pg.ClientConfig, database: string): Promise<boolean> {
  const exists = await withClient(admin, async (client) => {
    const { rows } = await client.query('select from pg_database where datname = $1', [database]);
    return rows.length > 0;
  });
  if (!exists) return false;
  return withClient({ ...admin, database }, async (client) => {
    const { rows } = await client.query<{ there: boolean }>(
      `select to_regclass('public.cmo_tenants') is not null as there`,
    );
    if (!rows[0]!.there) return false;
    return (await client.query('select from cmo_tenants limit 1')).rows.length > 0;
  });
}

async function load(client: pg.Client, options: RestoreOptions): Promise<{ rows: number; blobs: number }> {
  await client.query('begin; set local statement_timeout = 0; set local idle_in_transaction_session_timeout = 0');
  const guarded = await unguard(client);
  const sections = new Sections(options.path);
  let rows = 0;
  let blobs = 0;
  let header: BackupHeader | undefined;
  for (let opening = await sections.next(); opening; opening = await sections.next()) {
    const what = JSON.parse(opening.bytes.toString());
    if (opening.kind === 'header') header = what;
    if (opening.kind === 'table') rows += await loadTable(client, what, sections);
    if (opening.kind === 'blob') blobs += await loadBlob(options.blobs, what.hash, sections);
  }
  await advanceSequences(client, header!);
  await options.settle(client);
  await guard(client, guarded);
  await client.query('commit');
  return { rows, blobs };
}

async function loadTable(
  client: pg.Client,
  table: { readonly name: string; readonly columns: readonly string[] },
  sections: Sections,
): Promise<number> {
  const columns = table.columns.map(quoted).join(', ');
  // What migrations themselves put into it is in the backup as well.
  await client.query(`delete from ${quoted(table.name)}`);
  const copy = client.query(copyFrom(`copy ${quoted(table.name)} (${columns}) from stdin`));
  await pipeline(Readable.from(sections.data()), copy);
  const { rows } = JSON.parse(sections.closing.toString()) as { rows: number };
  if (copy.rowCount !== rows) {
    throw new SolyxError('backup_damaged', `Table ${table.name} has ${copy.rowCount} rows instead of ${rows}.`);
  }
  return rows;
}

async function loadBlob(store: BlobStore | undefined, hash: string, sections: Sections): Promise<number> {
  if (store === undefined) {
    for await (const _ of sections.data());
    return 0;
  }
  await store.put(Readable.from(sections.data()), hash);
  return 1;
}

/** Opens tables to their owner until `guard`. Row triggers (such as those of append-only tables) rest too. */
async function unguard(client: pg.Client): Promise<string[]> {
  const { rows } = await client.query<{ name: string; forced: boolean }>(
    `select relname as name, relforcerowsecurity as forced from pg_class
     where relnamespace = 'public'::regnamespace and relkind = 'r' and relowner = current_user::regrole`,
  );
  for (const { name } of rows) await client.query(`alter table ${quoted(name)} disable trigger user`);
  const forced = rows.filter((row) => row.forced).map((row) => row.name);
  for (const name of forced) await client.query(`alter table ${quoted(name)} no force row level security`);
  return forced;
}

async function guard(client: pg.Client, forced: readonly string[]): Promise<void> {
  const { rows } = await client.query<{ name: string }>(
    `select relname as name from pg_class
     where relnamespace = 'public'::regnamespace and relkind = 'r' and relowner = current_user::regrole`,
  );
  for (const { name } of rows) await client.query(`alter table ${quoted(name)} enable trigger user`);
  for (const name of forced) await client.query(`alter table ${quoted(name)} force row level security`);
}

async function advanceSequences(client: pg.Client, header: BackupHeader): Promise<void> {
  for (const [name, last] of Object.entries(header.sequences)) {
    await client.query('select setval($1::regclass, $2::bigint)', [
      `public.${quoted(name)}`,
      String(BigInt(last) + sequenceGap),
    ]);
  }
}

/** Gives the new database the name; the old one is deleted after. */
async function takeName(admin: pg.ClientConfig, building: string, database: string): Promise<void> {
  const former = `${database}_before_restore`;
  await withClient(admin, async (client) => {
    await client.query(`drop database if exists ${quoted(former)} with (force)`);
    const { rows } = await client.query('select from pg_database where datname = $1', [database]);
    const away = rows.length > 0 ? `alter database ${quoted(database)} rename to ${quoted(former)};` : '';
    try {
      await client.query(`begin; ${away} alter database ${quoted(building)} rename to ${quoted(database)}; commit`);
    } catch (error) {
      const { code, message } = error as { code?: string; message: string };
      if (code === inUse)
        throw new SolyxError('conflict', { detail: `Stop every Solyx process: ${message}.`, cause: error });
      throw error;
    }
    await client.query(`drop database if exists ${quoted(former)} with (force)`);
  });
}

/** Frames grouped: an opening, then `data()` until its close, kept in `closing`. */
class Sections {
  closing: Buffer = Buffer.alloc(0);
  readonly #frames: AsyncGenerator<Frame>;
  readonly #path: string;

  constructor(path: string) {
    this.#frames = readFrames(path);
    this.#path = path;
  }

  /** The next header, table or blob frame; undefined behind a right end. */
  async next(): Promise<Frame | undefined> {
    const { value, done } = await this.#frames.next();
    if (done) return undefined;
    if (value.kind === 'data' || value.kind === 'close') throw notOurs(this.#path);
    return value;
  }

  async *data(): AsyncGenerator<Buffer> {
    for (;;) {
      const { value, done } = await this.#frames.next();
      if (done) throw notOurs(this.#path);
      if (value.kind === 'close') {
        this.closing = value.bytes;
        return;
      }
      if (value.kind !== 'data') throw notOurs(this.#path);
      yield value.bytes;
    }
  }
}

const notOurs = (path: string) => new SolyxError('backup_damaged', `${path} is no backup of Solyx.`);
