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

/** Most of the time nobody is silent, and this is all that is asked. */
const agesStatement = `
  select clock_timestamp() as now, max(age)::float8 as oldest, min(age)::float8 as newest
  from (
    select extract(epoch from clock_timestamp() - coalesce(h.last_acked_at, n.updated_at)) as age
    from drm_nodes n left join drm_heartbeats h on h.node_id = n.id
    where n.presence = 'ready' and n.backend = 'agent'
  ) as node`;

/** One look; `watch` remembers the looks of this process. Returns the nodes that became lost. */
export async function lookForLostNodes(
  options: Omit<PresenceOptions, 'signal'>,
  watch: PresenceWatch,
): Promise<string[]> {
  return (await look(options, watch)).lost;
}

/** @returns the nodes that became lost, and the age of the oldest heartbeat of the others, seconds */
async function look(
  { db, wake, clock, logger }: Omit<PresenceOptions, 'signal'>,
  watch: PresenceWatch,
): Promise<{ lost: string[]; oldestSeconds: number }> {
  const { rows } = await db.system.query<{ now: Date; oldest: number | null; newest: number | null }>(agesStatement);
  const { now, oldest, newest } = rows[0]!;
  const oldestSeconds = oldest ?? 0;
  if (!watch.look(clock.monotonicMs(), now.getTime())) return { lost: [], oldestSeconds };
  if (oldestSeconds <= lostAfterSeconds && (newest ?? 0) >= -lostAfterSeconds) return { lost: [], oldestSeconds };
  const silent = await db.system.query<{ id: string }>(silentStatement, [lostAfterSeconds]);
  if (silent.rows.length === 0) return { lost: [], oldestSeconds };
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
  return { lost, oldestSeconds };
}

/** Between looks while every heartbeat is young, and while one is late, seconds. */
const calmSeconds = 4;
const alertSeconds = 1;
/** Younger than this none can become lost before the next calm look. */
const youngSeconds = lostAfterSeconds - calmSeconds - alertSeconds;

/** Starts the loop; it looks every few seconds, and every second while a node may be silent. */
export function startPresenceLoop(options: PresenceOptions): Loop {
  const watch = new PresenceWatch(defaults);
  const loop = runLoop({
    name: 'tracker.presence',
    wakeOn: ['tracker'],
    wake: options.wake,
    resyncSeconds: calmSeconds,
    logger: options.logger,
    ...(options.signal && { signal: options.signal }),
    run: async () => {
      const { oldestSeconds } = await look(options, watch);
      if (oldestSeconds > youngSeconds) setTimeout(() => loop.wake(), alertSeconds * 1000).unref();
    },
  });
  return loop;
}
