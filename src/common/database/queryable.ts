/**
 * What SQL is run on: a transaction, a client or a pool. `pg` satisfies it, and so does anything in tests that wants to count or
 * delay statements. Values are bound, never pasted.
 */
export interface Queryable {
  query<Row extends object = Record<string, unknown>>(
    text: string,
    values?: unknown[],
  ): Promise<{ rows: Row[]; rowCount: number | null }>;
}

/** A `Queryable` whose statements share one transaction; obtained only from `withTenant` and `withSystem`. */
export type { Tx as Transaction } from './transaction.ts';
