/** What a restored backup means for jobs that waited when it was made. */
import type { Queryable } from '../../common/database/queryable.ts';

/** Beyond `stopAfter` a successor waits so long (contracts §3), seconds. */
const marginSeconds = 30;
/** What a job with `onDisconnect: keep` is given: its attempt ends by no clock, but by the sweep for orphans when its node is back. */
const keepSeconds = 600;

/**
 * Holds back every queued job until an attempt that the backup does not know has ended by its own clock or was found and ended.
 * Runs past row-level security, before any loop.
 */
export async function holdBackAfterRestore(client: Queryable): Promise<void> {
  await client.query(
    `update cmo_jobs set pending_reason = 'retry_backoff', revision = revision + 1,
       deferred_until = greatest(deferred_until, now() + make_interval(
         secs => coalesce((spec #>> '{onDisconnect,stopAfter}')::float8, $1) + $2))
     where state = 'queued'`,
    [keepSeconds, marginSeconds],
  );
}
