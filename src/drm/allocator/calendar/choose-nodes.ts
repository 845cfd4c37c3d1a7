/** Which nodes a reservation gets: those with the least work on them, so that the fewest are disturbed. */
import type { Queryable } from '../../../common/database/queryable.ts';
import type { ReservationWish } from './reservation.ts';

export interface FreeNode {
  readonly id: string;
  /** Whole devices of the kind and model that was asked for. */
  readonly devices: number;
  /** Nobody has reserved it at that time. */
  readonly free: boolean;
}

const candidatesStatement = `
  select n.id, coalesce(d.count, 0)::int as devices,
         not exists (select from drm_calendar c where c.node_id = n.id and c.span && tstzrange($5, $6)) as free
  from drm_nodes n
  join drm_sites s on s.id = n.site_id
  cross join lateral (
    select count(*) filter (where kind = $2 and ($3::text is null or lower(model) = lower($3)) and health = 'ok') as count,
           sum(used_milli) as used
    from drm_devices where node_id = n.id and observed_milli > 0
  ) d
  where n.presence = 'ready' and n.scheduling = 'open' and n.health = 'ok' and ($4::text is null or s.name = $4)
    and ($2::text is null or d.count > 0)
    and not exists (
      select from jsonb_each($1::jsonb) as wish (name, choices)
      where not coalesce(wish.choices ? (n.labels ->> wish.name), false)
    )
    and not n.id = any($7::text[])
  order by d.used nulls first, n.used_cpu_milli, n.id`;

/**
 * The nodes that match, best first, whether they are free at that time or not.
 * @param except ids of nodes that are not looked at
 */
export async function matchingNodes(
  tx: Queryable,
  { labels, site, devices }: ReservationWish,
  startsAt: Date,
  endsAt: Date,
  except: readonly string[] = [],
): Promise<FreeNode[]> {
  const { rows } = await tx.query<FreeNode>(candidatesStatement, [
    JSON.stringify(labels),
    devices?.kind ?? null,
    devices?.model ?? null,
    site ?? null,
    startsAt,
    endsAt,
    [...except],
  ]);
  return rows;
}

/** The first nodes that suffice; undefined when all together do not. */
export function enough(nodes: readonly FreeNode[], { nodes: count, devices }: ReservationWish): string[] | undefined {
  const chosen: string[] = [];
  let found = 0;
  // Of nodes as idle, those with more devices first: fewer nodes are taken.
  for (const node of nodes) {
    if (!node.free) continue;
    chosen.push(node.id);
    found += node.devices;
    if (count === undefined ? found >= devices!.count : chosen.length >= count && found >= (devices?.count ?? 0)) {
      return chosen;
    }
  }
  return undefined;
}
