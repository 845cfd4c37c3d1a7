/**
 * What SQL is run on: a pool, or a client inside a transaction. `pg` satisfies it, and so does anything in tests that
 * wants to count or delay statements.
 */
export interface Queryable {
  query<Row extends object = Record<string, unknown>>(
    text: string,
    values?: unknown[],
  ): Promise<{ rows: Row[]; rowCount: number | null }>;
}

/** A `Queryable` whose statements share one transaction; obtained only from `withTenant` and `withSystem`. */
export type Transaction = Queryable;
