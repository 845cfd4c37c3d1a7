/**
 * The tables as Kysely sees them. A component adds its own by interface merging, next to its migrations:
 *
 *     declare module '../../common/database/tables.ts' {
 *       interface Tables { cmo_jobs: JobsTable }
 *     }
 */
import type { ColumnType, Generated } from 'kysely';

export interface SchemaMigrationsTable {
  number: number;
  name: string;
  sha256: string;
  applied_at: Generated<Date>;
}

export interface FeedEventsTable {
  id: ColumnType<bigint, never, never>;
  xid: ColumnType<string, never, never>;
  tenant: string;
  kind: string;
  subject: string;
  revision: bigint;
  at: Generated<Date>;
  data: Generated<unknown>;
}

export interface Tables {
  schema_migrations: SchemaMigrationsTable;
  feed_events: FeedEventsTable;
}
