/** What a restored backup means for contact with nodes. */
import type { Queryable } from '../../common/database/queryable.ts';

/**
 * Counts every node as heard now. Heartbeats of the backup are older than what nodes were acknowledged since, and by
 * them attempts that run would be given up at once. Runs before any loop.
 */
export async function settleAfterRestore(client: Queryable): Promise<void> {
  await client.query('update drm_heartbeats set last_acked_at = now()');
}
