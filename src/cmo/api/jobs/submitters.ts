/**
 * Whose jobs are "mine": a job remembers the key that submitted it, and a person has many, since every browser session is
 * one. With a user it is all keys of that user; without, the key and the sessions that were begun with it.
 */
import type { Queryable } from '../../../common/database/index.ts';
import type { Principal } from '../../../common/http/index.ts';

/** Most keys, newest first; older sessions than these submitted nothing that anybody looks for. */
const mostKeys = 200;

export async function keysOf(tx: Queryable, principal: Principal): Promise<string[]> {
  const { rows } = await tx.query<{ id: string }>(
    principal.user
      ? 'select id from cmo_api_keys where user_id = $1 order by id desc limit $2'
      : `with root as (select coalesce(made_by, id) as id from cmo_api_keys where id = $1)
         (select id from cmo_api_keys where made_by = (select id from root) order by id desc limit $2)
         union select id from root`,
    [principal.user?.id ?? principal.keyId, mostKeys],
  );
  return rows.map(({ id }) => id);
}
