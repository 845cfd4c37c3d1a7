/**
 * Writes everything that Solyx knows into one file, while it works.
 *
 * One repeatable-read transaction reads all tables, so the backup is the state of one instant: no job without its
 * attempt, no allocation without its counter. Nothing is locked and nobody waits. Blobs are added after: they never
 * change, and one that was collected meanwhile is counted and left out.
 */
import pg from 'pg';
import { to as copyTo } from 'pg-copy-streams';
import { type BlobStore, isBlobHash } from '../blobs/index.ts';
import { connectionTypes } from '../database/connection.ts';
import { quoted, selectOf, type Table, tablesInOrder } from './catalog.ts';
import { FrameWriter } from './frames.ts';

/** Version of the format; `restore` reads this one and those before. */
export const backupVersion = 1;

/** First frame of a backup. */
export interface BackupHeader {
  readonly format: 'solyx-backup';
  readonly version: number;
  /** Release that wrote it. */
  readonly release: string;
  readonly createdAt: string;
  /** Numbers of the migrations that the database had. */
  readonly migrations: readonly number[];
  /** Next values of sequences, by name, as decimal text. */
  readonly sequences: Readonly<Record<string, string>>;
}

export interface BackupCounts {
  readonly tables: number;
  readonly rows: number;
  readonly blobs: number;
  readonly blobBytes: number;
  /** Blobs that rows name and the store has not. */
  readonly blobsMissing: number;
}

export interface BackupOptions {
  /** Login of the system pool. */
  readonly login: pg.ClientConfig;
  readonly path: string;
  readonly release: string;
  readonly now: Date;
  /** Undefined: rows only. */
  readonly blobs?: BlobStore | undefined;
}

/**
 * Backs up a database, and its blobs where a store is given, to a file of mode 0600.
 * Memory does not grow with the database; time grows with its bytes.
 */
export async function backup(options: BackupOptions): Promise<BackupCounts> {
  const client = new pg.Client({ ...options.login, types: connectionTypes, application_name: 'solyx backup' });
  const writer = new FrameWriter(options.path);
  try {
    await client.connect();
    await client.query('begin isolation level repeatable read read only; set local statement_timeout = 0');
    await writer.json('header', await headerOf(client, options));
    const tables = await tablesInOrder(client);
    let rows = 0;
    for (const table of tables) rows += await writeTable(client, writer, table);
    const counts = { tables: tables.length, rows, ...(await writeBlobs(client, writer, options.blobs)) };
    await client.query('commit');
    await writer.finish();
    return counts;
  } catch (error) {
    await writer.abandon();
    throw error;
  } finally {
    await client.end();
  }
}

async function headerOf(client: pg.Client, { release, now }: BackupOptions): Promise<BackupHeader> {
  const applied = await client.query<{ number: number }>('select number from schema_migrations order by number');
  const names = await client.query<{ name: string }>(
    `select relname as name from pg_class where relkind = 'S' and relnamespace = 'public'::regnamespace and relpersistence = 'p'`,
  );
  const sequences: Record<string, string> = {};
  for (const { name } of names.rows) {
    const { rows } = await client.query<{ last: string }>(`select last_value::text as last from ${quoted(name)}`);
    sequences[name] = rows[0]!.last;
  }
  return {
    format: 'solyx-backup',
    version: backupVersion,
    release,
    createdAt: now.toISOString(),
    migrations: applied.rows.map((row) => row.number),
    sequences,
  };
}

async function writeTable(client: pg.Client, writer: FrameWriter, table: Table): Promise<number> {
  await writer.json('table', { name: table.name, columns: table.columns.map((column) => column.name) });
  const stream = client.query(copyTo(`copy (${selectOf(table)}) to stdout`));
  await writer.data(stream);
  await writer.json('close', { rows: stream.rowCount });
  return stream.rowCount;
}

async function writeBlobs(client: pg.Client, writer: FrameWriter, blobs: BlobStore | undefined) {
  const counts = { blobs: 0, blobBytes: 0, blobsMissing: 0 };
  if (blobs === undefined) return counts;
  let last = '';
  for (;;) {
    const { rows } = await client.query<{ hash: string }>(
      'select distinct hash from blob_objects where hash > $1 order by hash limit 1000',
      [last],
    );
    for (const { hash } of rows) {
      const content = isBlobHash(hash) ? await blobs.get(hash) : undefined;
      if (content === undefined) {
        counts.blobsMissing++;
        continue;
      }
      await writer.json('blob', { hash });
      counts.blobBytes += await writer.data(content);
      counts.blobs++;
      await writer.json('close', {});
    }
    if (rows.length === 0) return counts;
    last = rows.at(-1)!.hash;
  }
}
