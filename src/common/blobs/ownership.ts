/**
 * Which tenant may read which blob: a row of `blob_objects` for each that proved to have the bytes by putting them.
 */
import type { Queryable } from '../database/queryable.ts';

/** Records that a tenant has these blobs. Repeatable. Call it only after the bytes were put and verified. */
export async function ownBlobs(
  tx: Queryable,
  tenant: string,
  blobs: readonly { readonly hash: string; readonly sizeBytes: number }[],
): Promise<void> {
  await tx.query(
    `insert into blob_objects (tenant, hash, size_bytes)
     select $1, hash, size_bytes from unnest($2::text[], $3::bigint[]) as blob (hash, size_bytes)
     on conflict (tenant, hash) do update set referenced_at = now()`,
    [tenant, blobs.map((blob) => blob.hash), blobs.map((blob) => blob.sizeBytes)],
  );
}

/**
 * Says that blobs are about to be used, which spares them from collection for a day. Call it before what uses them is written.
 * @returns those of the hashes that the tenant has not
 */
export async function holdBlobs(tx: Queryable, tenant: string, hashes: readonly string[]): Promise<string[]> {
  const { rows } = await tx.query<{ hash: string }>(
    `with held as (
       update blob_objects set referenced_at = now()
       where tenant = $1 and hash = any($2::text[]) and referenced_at < now() - interval '1 hour'
     )
     select distinct wanted.hash from unnest($2::text[]) as wanted (hash)
     where not exists (select from blob_objects b where b.tenant = $1 and b.hash = wanted.hash)`,
    [tenant, [...hashes]],
  );
  return rows.map((row) => row.hash);
}
