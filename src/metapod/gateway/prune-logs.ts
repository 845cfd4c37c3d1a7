/** Logs are kept for a time: what an old attempt wrote is deleted, and the log says so. */
import { type Database, withSystem } from '../../common/database/index.ts';
import { firstIdAt } from '../../common/ids.ts';

/** Streams deleted in one transaction; the largest has 256 MiB. */
const atOnce = 20;

/**
 * Deletes lines of attempts that ended long enough ago. Looks only at streams of attempts that are old enough, by their ids.
 * @param keptDays days after the end, ≥ 0
 * @returns how many logs were deleted; 0 when none is left that is old enough
 */
export async function pruneLogs(db: Database, keptDays: number, now: Date): Promise<number> {
  const before = firstIdAt('attempt', new Date(now.getTime() - keptDays * 86_400_000));
  return withSystem(db, async (tx) => {
    const { rows } = await tx.query<{ n: number }>(
      `with old as (
         select s.attempt_id, s.rank from metapod_log_streams s join cmo_attempts a on a.id = s.attempt_id
         where s.removed_at is null and s.attempt_id < $1 and a.ended_at < now() - make_interval(days => $2)
         order by s.attempt_id, s.rank limit $3 for update of s skip locked
       ), lines as (
         delete from metapod_log_chunks c using old where c.attempt_id = old.attempt_id and c.rank = old.rank
       ), told as (
         update metapod_log_streams s set removed_at = now() from old where s.attempt_id = old.attempt_id and s.rank = old.rank
       )
       select count(*)::int as n from old`,
      [before, keptDays, atOnce],
    );
    return rows[0]!.n;
  });
}
