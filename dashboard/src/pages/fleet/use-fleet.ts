/** The fleet as it is now: read once over HTTP, kept up to date by the live connection, samples apart. */
import { useQuery, useQueryClient } from '@tanstack/react-query';
import { useMemo } from 'react';
import type { LiveDevice, LiveNode, Site } from '../../../../src/common/contract/live.ts';
import type { Output } from '../../api/contract.ts';
import { request } from '../../api/request.ts';
import { useLive } from '../../live/hooks.ts';
import { byNode, type Fleet, patchFleet } from './fleet.ts';
import { SampleStore } from './samples.ts';

/** Most nodes and devices that one page holds; what is beyond is found by its site. */
const most = { nodes: 1_000, devices: 8_000 };
const pageSize = 500;

type Page<Item> = { readonly items: readonly Item[]; readonly nextCursor: string | null };

/** Walks the pages of a list up to a bound. */
async function all<Item>(
  read: (cursor: string | undefined) => Promise<Page<Item>>,
  bound: number,
): Promise<{ items: Item[]; more: boolean }> {
  const items: Item[] = [];
  let cursor: string | undefined;
  do {
    const page = await read(cursor);
    items.push(...page.items);
    cursor = page.nextCursor ?? undefined;
  } while (cursor !== undefined && items.length < bound);
  return { items, more: cursor !== undefined };
}

async function readFleet(signal: AbortSignal): Promise<Fleet> {
  const options = { signal };
  const [sites, nodes, devices] = await Promise.all([
    all<Site>((cursor) => request('GET /v1/sites', { query: { limit: pageSize, cursor } }, options), most.nodes),
    all<LiveNode>((cursor) => request('GET /v1/nodes', { query: { limit: pageSize, cursor } }, options), most.nodes),
    all<LiveDevice>(
      (cursor) => request('GET /v1/devices', { query: { limit: pageSize, cursor } }, options),
      most.devices,
    ),
  ]);
  const whole = {
    sites: sites.items,
    nodes: [],
    devices: byNode(devices.items),
    truncated: nodes.more || devices.more,
  };
  return patchFleet(whole, { nodes: nodes.items });
}

const queryKey = ['fleet'] as const;

export function useFleet() {
  const cache = useQueryClient();
  const samples = useMemo(() => new SampleStore(), []);
  const query = useQuery({
    queryKey,
    queryFn: async ({ signal }) => {
      const fleet = await readFleet(signal);
      takeSamples(samples, fleet.nodes, Object.values(fleet.devices).flat());
      return fleet;
    },
    staleTime: 60_000,
  });
  useLive(
    'fleet',
    { limit: most.nodes },
    {
      onSnapshot: ({ sites, nodes, devices, truncated }) => {
        takeSamples(samples, nodes, devices);
        const empty: Fleet = { sites: [], nodes: [], devices: byNode(devices), truncated };
        cache.setQueryData(queryKey, patchFleet(empty, { sites, nodes }));
      },
      onDelta: (delta) => {
        samples.put((delta.samples ?? []).map(({ id, at, data }) => ({ id, sample: { at, data } })));
        if (!delta.sites && !delta.nodes && !delta.devices) return;
        cache.setQueryData<Fleet>(queryKey, (held) => (held === undefined ? held : patchFleet(held, delta)));
      },
    },
  );
  return { query, samples };
}

function takeSamples(samples: SampleStore, nodes: readonly LiveNode[], devices: readonly LiveDevice[]): void {
  samples.put([...nodes, ...devices].map(({ id, sample }) => ({ id, sample })));
}

/** A node with what only its own page needs. */
export type NodeDetail = Output<'GET /v1/nodes/:id'>;
