/**
 * The tracker's loop: nodes whose heartbeats stopped become lost, so that nothing new is placed there and the orchestrator
 * treats their attempts as unknown.
 *
 * Any number of trackers may run it; whoever comes second finds nothing to change. A node comes back by a heartbeat or
 * a hello (`heartbeats.ts`, `join.ts`), not here.
 */
import type { Clock } from '../../common/clock.ts';
import { heartbeatSeconds } from '../../common/contract/agent/protocol.ts';
import { type Database, withSystem } from '../../common/database/index.ts';
import { type Loop, runLoop, type Wake } from '../../common/events/index.ts';
import type { Logger } from '../../common/logger.ts';
import { changePresence, lostAfterSeconds } from './heartbeats.ts';
import { PresenceWatch } from './presence-watch.ts';

export interface PresenceOptions {
  readonly db: Database;
  readonly wake: Wake;
  readonly logger: Logger;
  readonly clock: Clock;
  readonly signal?: AbortSignal;
}

const defaults = {
  graceSeconds: lostAfterSeconds + heartbeatSeconds,
  absenceSeconds: 2 * heartbeatSeconds,
  jumpSeconds: 2,
};

/**
 * Ready nodes without a recent heartbeat. A node whose gateway died (its session's lease ran out) gets the same time from then on to
 * reach another gateway. A heartbeat from the future was written before the clock was set back and says nothing.
 */
const silentStatement = `
  select n.id from drm_nodes n
  left join drm_heartbeats h on h.node_id = n.id
  left join metapod_sessions s on s.node_id = n.id
  where n.presence = 'ready' and n.backend = 'agent'
    and coalesce(h.last_acked_at, n.updated_at) not between
        clock_timestamp() - make_interval(secs => $1) and clock_timestamp() + make_interval(secs => $1)
    and not coalesce(s.lease_until between clock_timestamp() - make_interval(secs => $1) and clock_timestamp(), false)
  order by n.id`;

/** One look; `watch` remembers the looks of this process. Returns the nodes that became lost. */
export async function lookForLostNodes(
  { db, wake, clock, logger }: Omit<PresenceOptions, 'signal'>,
  watch: PresenceWatch,
): Promise<string[]> {
  const { rows } = await db.system.query<{ now: Date }>('select clock_timestamp() as now');
  if (!watch.look(clock.monotonicMs(), rows[0]!.now.getTime())) return [];
  const silent = await db.system.query<{ id: string }>(silentStatement, [lostAfterSeconds]);
  if (silent.rows.length === 0) return [];
  const lost = await withSystem(db, async (tx) => {
    // Again under the locks of the nodes: a heartbeat may have come meanwhile.
    const ids = silent.rows.map(({ id }) => id);
    await tx.query('select from drm_nodes where id = any($1::text[]) order by id for no key update', [ids]);
    const still = await tx.query<{ id: string }>(silentStatement, [lostAfterSeconds]);
    const both = still.rows.map(({ id }) => id).filter((id) => ids.includes(id));
    return changePresence(tx, both, 'ready', 'lost', `no heartbeat for ${lostAfterSeconds} s`);
  });
  for (const nodeId of lost) logger.warn({ nodeId }, 'node lost');
  if (lost.length > 0) for (const topic of ['orchestrator', 'scheduler']) wake.wake(topic);
  return lost;
}

/** Starts the loop; it looks every second. */
export function startPresenceLoop(options: PresenceOptions): Loop {
  const watch = new PresenceWatch(defaults);
  return runLoop({
    name: 'tracker.presence',
    wakeOn: ['tracker'],
    wake: options.wake,
    resyncSeconds: 1,
    logger: options.logger,
    ...(options.signal && { signal: options.signal }),
    run: async () => {
      await lookForLostNodes(options, watch);
    },
  });
}
