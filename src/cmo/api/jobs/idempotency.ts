/**
 * Answers that are remembered by the client's Idempotency-Key, written by the statement that they are about
 * (`cmo_submit_jobs`).
 *
 * A key belongs to a tenant and to one body. The unique key of the table decides between requests that come at once:
 * the second waits for the first to commit and then makes nothing, or goes on if the first rolled back.
 */
import { type Database, withSystem, withTenant } from '../../../common/database/index.ts';
import { SolyxError } from '../../../common/errors/index.ts';

export interface AnsweredRequest {
  readonly tenant: string;
  readonly key: string;
  /** SHA-256 of what was asked. */
  readonly hash: Buffer;
}

/**
 * The answer that an earlier request with the key was given.
 * @throws idempotency_key_reused when the key was used for another body
 */
export async function recall<T>(db: Database, request: AnsweredRequest): Promise<T> {
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
