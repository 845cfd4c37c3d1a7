/** Throws away what signing in leaves behind: sessions and links that ended long ago. */
import { type Database, withSystem } from '../../../common/database/index.ts';

/**
 * Forgets sessions and links that ended more than `keptDays` > 0 ago, at most `limit` of each a call.
 * @returns how many were forgotten
 */
export async function pruneIdentity(db: Database, keptDays: number, limit = 10_000): Promise<number> {
  return withSystem(db, async (tx) => {
    const sessions = await tx.query(
      `delete from cmo_api_keys where id in (
         select id from cmo_api_keys
         where kind = 'session' and least(expires_at, revoked_at) < now() - make_interval(days => $1)
         order by expires_at limit $2 for update skip locked)`,
      [keptDays, limit],
    );
    const links = await tx.query(
      `delete from cmo_links where id in (
         select id from cmo_links where expires_at < now() - make_interval(days => $1)
         order by expires_at limit $2 for update skip locked)`,
      [keptDays, limit],
    );
    return (sessions.rowCount ?? 0) + (links.rowCount ?? 0);
  });
}
