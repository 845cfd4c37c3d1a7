/**
 * Throws away blobs that nobody uses any more.
 *
 * What is in use is said by views of the components (`tenant, hash, manifest, ended_at`), so that no list of theirs has to be
 * held in memory or walked through: a candidate is looked up by index. Chunks are used through manifests; their lists
 * are written into `blob_parts` first, and from then on the database itself refuses to lose a chunk.
 *
 * The dangerous moment is a blob that is about to be used while it is being thrown away. Whoever is about to use one says so
 * (`holdBlobs`) and it is spared for a day; deleting a row waits for that and looks again. The bytes go last, and only
 * if they were not put again meanwhile. A crash in between leaves bytes without a row, which `collectStray` finds.
 */
import { type Database, withSystem } from '../database/index.ts';
import type { BlobStore } from './blob-store.ts';
import { parseManifest, readAll } from './tree.ts';

/** A blob that somebody put or was about to use is spared for so long, hours. */
const sparedHours = 24;
const batch = 500;
/** Largest manifest that is read, bytes. */
const mostManifestBytes = 64 * 2 ** 20;

export interface CollectOptions {
  readonly db: Database;
  readonly store: BlobStore;
  /** Names of the views that say what is used. */
  readonly uses: readonly string[];
  /** A use counts until so many days after the end of what used it, ≥ 0. */
  readonly keptDays: number;
  /** Says that the process wants to end: between two batches is a good moment. */
  readonly stopping?: () => boolean;
}

export interface Collected {
  readonly blobs: number;
  readonly bytes: bigint;
}

interface Owned {
  readonly tenant: string;
  readonly hash: string;
}

/**
 * Deletes every blob that has not been used for long enough. Costs by blobs that may go, not by all that exist, plus one look
 * at each old one that is still used.
 */
export async function collectBlobs(options: CollectOptions): Promise<Collected> {
  await listParts(options);
  let blobs = 0;
  let bytes = 0n;
  // A manifest must go before its chunks can: twice through the candidates takes both.
  for (let pass = 0; pass < 2; pass++) {
    let after: Owned = { tenant: '', hash: '' };
    while (!options.stopping?.()) {
      const { last, gone } = await deleteRows(options, after);
      for (const { hash, size_bytes } of gone) {
        if (!(await removeBytes(options, hash))) continue;
        blobs++;
        bytes += size_bytes;
      }
      if (last === undefined) break;
      after = last;
    }
  }
  return { blobs, bytes };
}

/** Deletes bytes that no tenant has a row for: what a crash left. Walks through the whole store. */
export async function collectStray(options: Pick<CollectOptions, 'db' | 'store' | 'stopping'>): Promise<number> {
  let removed = 0;
  const oldest = new Date(Date.now() - sparedHours * 3_600_000);
  for await (const { hash, storedAt } of options.store.list()) {
    if (options.stopping?.()) break;
    if (storedAt < oldest && (await removeBytes(options, hash))) removed++;
  }
  return removed;
}

const anyUse = (uses: readonly string[], condition: string) =>
  uses
    .map(
      (view) =>
        `select tenant, hash from ${view} where ${condition} and (ended_at is null or ended_at > now() - make_interval(days => $1))`,
    )
    .join(' union all ');

/** Writes the chunk lists of manifests that are used and have none yet. */
async function listParts({ db, store, uses, keptDays, stopping }: CollectOptions): Promise<void> {
  let after = '';
  while (!stopping?.()) {
    const { rows } = await db.system.query<Owned>(
      `select distinct u.tenant, u.hash from (${anyUse(uses, 'manifest and hash > $2')}) u
       join blob_objects b on b.tenant = u.tenant and b.hash = u.hash
       where not exists (select from blob_parts p where p.tenant = u.tenant and p.manifest = u.hash)
       order by u.hash, u.tenant limit $3`,
      [keptDays, after, batch],
    );
    for (const { tenant, hash } of rows) await writeParts(db, store, tenant, hash);
    if (rows.length < batch) return;
    // Tenants that share the last hash come with the next call of the collector.
    after = rows.at(-1)!.hash;
  }
}

async function writeParts(db: Database, store: BlobStore, tenant: string, manifest: string): Promise<void> {
  const content = await store.get(manifest);
  if (content === undefined) return;
  const { files } = parseManifest(await readAll(content, mostManifestBytes));
  const chunks = [...new Set(files.flatMap((file) => file.chunks))];
  await withSystem(
    db,
    (tx) =>
      tx.query(
        `insert into blob_parts (tenant, manifest, hash)
         select b.tenant, $2, b.hash from blob_objects b where b.tenant = $1 and b.hash = any($3::text[])
         on conflict do nothing`,
        [tenant, manifest, chunks],
      ),
    { idempotent: true },
  );
}

/** Deletes the rows of one batch of candidates that nobody uses. @returns where to go on, and what went */
async function deleteRows({ db, uses, keptDays }: CollectOptions, after: Owned) {
  return withSystem(
    db,
    async (tx) => {
      const { rows: old } = await tx.query<Owned>(
        `select tenant, hash from blob_objects
         where (tenant, hash) > ($1, $2) and referenced_at < now() - make_interval(hours => $3)
         order by tenant, hash limit $4`,
        [after.tenant, after.hash, sparedHours, batch],
      );
      const { rows: gone } = await tx.query<{ hash: string; size_bytes: bigint }>(
        `delete from blob_objects b using unnest($2::text[], $3::text[]) as c (tenant, hash)
         where b.tenant = c.tenant and b.hash = c.hash and b.referenced_at < now() - make_interval(hours => $4)
           and not exists (select from blob_parts p where p.tenant = b.tenant and p.hash = b.hash)
           and not exists (${anyUse(uses, 'tenant = b.tenant and hash = b.hash')})
         returning b.hash, b.size_bytes`,
        [keptDays, old.map(({ tenant }) => tenant), old.map(({ hash }) => hash), sparedHours],
      );
      return { last: old.length < batch ? undefined : old.at(-1), gone };
    },
    { idempotent: true },
  );
}

async function removeBytes({ db, store }: Pick<CollectOptions, 'db' | 'store'>, hash: string): Promise<boolean> {
  const { rows } = await db.system.query('select from blob_objects where hash = $1 limit 1', [hash]);
  if (rows.length > 0) return false;
  return store.deleteUnlessNewer(hash, new Date(Date.now() - sparedHours * 3_600_000));
}
