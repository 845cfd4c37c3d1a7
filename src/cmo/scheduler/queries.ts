/**
 * Which rows the scheduler should hold, and at which revisions: by pages of keys, so that no statement grows with the fleet or the queue.
 * The rows themselves are read through the faces of `drm/tracker` and `cmo/jobs`.
 */
import type { Queryable } from '../../common/database/index.ts';
import type { ComparedKind } from './worker/messages.ts';

const pageStatements: Readonly<Record<ComparedKind, string>> = {
  site: 'select id, revision::float8 as revision from drm_sites where id > $1 order by id limit $2',
  node: `
    select n.id, n.revision::float8 + coalesce((select sum(revision)::float8 from drm_devices where node_id = n.id), 0) as revision
    from drm_nodes n where n.id > $1 and n.presence <> 'removed' order by n.id limit $2`,
  job: `select id, revision::float8 as revision from cmo_jobs where state = 'queued' and waits_for = 0 and id > $1 order by id limit $2`,
};

/** A page of ids and revisions of what the scheduler should hold, in order of id. `after`: last id of the page before, or ''. */
export async function readRevisions(
  tx: Queryable,
  kind: ComparedKind,
  after: string,
  limit: number,
): Promise<(readonly [id: string, revision: number])[]> {
  const { rows } = await tx.query<{ id: string; revision: number }>(pageStatements[kind], [after, limit]);
  return rows.map(({ id, revision }) => [id, revision] as const);
}

const existenceStatements: Readonly<Record<ComparedKind, string>> = {
  site: 'select id from drm_sites where id = any($1::text[])',
  node: `select id from drm_nodes where id = any($1::text[]) and presence <> 'removed'`,
  job: `select id from cmo_jobs where id = any($1::text[]) and state = 'queued' and waits_for = 0`,
};

/** Those of the ids that the scheduler should hold. */
export async function readExisting(tx: Queryable, kind: ComparedKind, ids: readonly string[]): Promise<Set<string>> {
  const { rows } = await tx.query<{ id: string }>(existenceStatements[kind], [[...ids]]);
  return new Set(rows.map(({ id }) => id));
}
