/**
 * Rights and records of the bytes that nodes move: which blob a node may read, and the fenced writes of attempts.
 */
import type { Manifest } from '../../common/contract/agent/protocol.ts';
import type { Queryable, Transaction } from '../../common/database/queryable.ts';
import { SolyxError } from '../../common/errors/index.ts';

export interface PlacedAttempt {
  readonly attemptId: string;
  readonly jobId: string;
  readonly tenant: string;
  readonly token: bigint;
}

/**
 * Whether the blob belongs to a tenant that has unfinished work on this node.
 * @param attemptId only to the tenant of this attempt: bytes that another tenant has spare it no upload
 */
export async function mayReadBlob(
  db: Queryable,
  nodeId: string,
  hash: string,
  attemptId: string | null,
): Promise<boolean> {
  const { rows } = await db.query(
    `select 1 from cmo_attempt_ranks r join blob_objects b on b.tenant = r.tenant and b.hash = $2
     where r.node_id = $1 and r.state <> 'ended' and ($3::text is null or r.attempt_id = $3) limit 1`,
    [nodeId, hash, attemptId],
  );
  return rows.length > 0;
}

/**
 * The attempt, if it was placed on this node under this token.
 *
 * @param rank only if this rank of it was; null: any
 * @throws SolyxError `not_found` when it was not, `stale_token` when a newer attempt of its job exists
 */
export async function findPlacedAttempt(
  db: Queryable,
  nodeId: string,
  attemptId: string,
  token: bigint,
  rank: number | null,
): Promise<PlacedAttempt> {
  const { rows } = await db.query<{ job_id: string; tenant: string; newest: boolean }>(
    `select a.job_id, a.tenant, j.newest_token = a.token as newest
     from cmo_attempts a join cmo_jobs j on j.id = a.job_id
     where a.id = $1 and a.token = $3::numeric
       and exists (select from cmo_attempt_ranks r
                   where r.attempt_id = a.id and r.node_id = $2 and ($4::int is null or r.rank = $4))`,
    [attemptId, nodeId, token, rank],
  );
  const row = rows[0];
  if (row === undefined) throw new SolyxError('not_found');
  if (!row.newest) throw new SolyxError('stale_token');
  return { attemptId, jobId: row.job_id, tenant: row.tenant, token };
}

/**
 * Makes a manifest the job's checkpoint. One update, so that no newer attempt can begin between the check and it.
 *
 * @throws SolyxError `stale_token` when a newer attempt exists, `job_final` when the job has ended
 */
export async function commitCheckpoint(tx: Transaction, attempt: PlacedAttempt, manifestHash: string): Promise<void> {
  const { rowCount } = await tx.query(
    `update cmo_jobs set checkpoint_hash = $3, checkpoint_token = $2, checkpoint_at = now(), revision = revision + 1
     where id = $1 and newest_token = $2 and state not in ('succeeded', 'failed', 'cancelled')`,
    [attempt.jobId, attempt.token, manifestHash],
  );
  if (rowCount === 1) return;
  await refuseWrite(tx, attempt);
}

/** Records what a rank kept. The last write wins. @throws SolyxError `stale_token` */
export async function commitArtifacts(
  tx: Transaction,
  attempt: PlacedAttempt,
  rank: number,
  manifestHash: string,
  manifest: Manifest,
): Promise<void> {
  const { rowCount } = await tx.query(
    `insert into metapod_artifacts (attempt_id, tenant, rank, manifest_hash, file_count, size_bytes)
     select $1, $3, $4, $5, $6, $7 from cmo_jobs where id = $8 and newest_token = $2
     on conflict (attempt_id, rank) do update set manifest_hash = excluded.manifest_hash,
       file_count = excluded.file_count, size_bytes = excluded.size_bytes, stored_at = now()`,
    [
      attempt.attemptId,
      attempt.token,
      attempt.tenant,
      rank,
      manifestHash,
      manifest.files.length,
      manifest.files.reduce((sum, file) => sum + file.sizeBytes, 0),
      attempt.jobId,
    ],
  );
  if (rowCount !== 1) throw new SolyxError('stale_token');
}

async function refuseWrite(tx: Transaction, attempt: PlacedAttempt): Promise<never> {
  const { rows } = await tx.query<{ newest: boolean }>(
    'select newest_token = $2 as newest from cmo_jobs where id = $1',
    [attempt.jobId, attempt.token],
  );
  throw new SolyxError(rows[0]?.newest === true ? 'job_final' : 'stale_token');
}
