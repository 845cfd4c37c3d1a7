/**
 * Answers that are remembered by the client's Idempotency-Key, in the transaction that they are about.
 *
 * A key belongs to a tenant and to one body. The unique key of the table decides between requests that come at once:
 * the second waits for the first to commit and then fails with `AlreadyAnswered`, or goes on if the first rolled back.
 */
import { type Database, type Tx, withSystem, withTenant } from '../../../common/database/index.ts';
import { SolyxError } from '../../../common/errors/index.ts';

export interface AnsweredRequest {
  readonly tenant: string;
  readonly key: string;
  /** SHA-256 of what was asked. */
  readonly hash: Buffer;
}

/** Somebody with the same key was first; the transaction is to be rolled back. */
class AlreadyAnswered extends Error {}

/** Remembers an answer. @throws AlreadyAnswered, which `recall` turns into the earlier answer */
export async function remember(tx: Tx, request: AnsweredRequest & { readonly response: unknown }): Promise<void> {
  const { rowCount } = await tx.query(
    `insert into cmo_idempotency (tenant, key, request_hash, response) values ($1, $2, $3, $4)
     on conflict (tenant, key) do nothing`,
    [request.tenant, request.key, request.hash, JSON.stringify(request.response)],
  );
  if (rowCount === 0) throw new AlreadyAnswered();
}

/**
 * The earlier answer, when `error` says that there is one; throws any other error again.
 * @throws idempotency_key_reused when the key was used for another body
 */
export async function recall<T>(error: unknown, db: Database, request: AnsweredRequest): Promise<T> {
  if (!(error instanceof AlreadyAnswered)) throw error;
  const { rows } = await withTenant(
    db,
    request.tenant,
    (tx) =>
      tx.query<{ request_hash: Buffer; response: T }>(
        'select request_hash, response from cmo_idempotency where tenant = $1 and key = $2',
        [request.tenant, request.key],
      ),
    { readOnly: true },
  );
  const row = rows[0];
  if (!row) throw new SolyxError('conflict', 'The Idempotency-Key expired just now; send again.');
  if (!row.request_hash.equals(request.hash)) throw new SolyxError('idempotency_key_reused');
  return row.response;
}

/**
 * Forgets answers older than `keptHours` > 0, at most `limit` a call. A key may then be used anew.
 * @returns how many were forgotten
 */
export async function pruneIdempotency(db: Database, keptHours = 48, limit = 10_000): Promise<number> {
  return withSystem(db, async (tx) => {
    const { rowCount } = await tx.query(
      `delete from cmo_idempotency where (tenant, key) in (
         select tenant, key from cmo_idempotency where created_at < now() - make_interval(hours => $1)
         order by created_at limit $2 for update skip locked)`,
      [keptHours, limit],
    );
    return rowCount ?? 0;
  });
}
