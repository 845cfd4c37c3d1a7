/**
 * Watches the fleet for everybody who looks at it: nodes that changed are read again, at most twice a second, and the latest
 * samples are looked through every two seconds (they live in a table without events, see the tracker).
 */
import type { LiveDevice, LiveNode } from '../../../common/contract/live.ts';
import type { Database } from '../../../common/database/index.ts';
import type { Queryable } from '../../../common/database/queryable.ts';
import type { Logger } from '../../../common/logger.ts';
import { listDevices, listNodes, listSites } from '../../../drm/tracker/index.ts';
import { toSample, toWireDevice, toWireNode } from '../nodes.ts';
import { toWireSite } from '../sites.ts';
import type { FleetListener, LiveFeed } from './feed.ts';
import type { SharedView } from './shared-views.ts';
import type { EntityChange } from './topic.ts';

/** Between two readings of changed nodes, ms. */
const nodesMs = 500;
const samplesMs = 2_000;
/** Nodes a reading; what is more waits for the next. */
const mostNodes = 1_000;
const mostDevices = 20_000;
/** Samples are stamped before they are committed: looks overlap so much, seconds. */
const overlapSeconds = 2;

export interface FleetChange extends EntityChange {
  /** The node that it belongs to; undefined for a site. */
  readonly nodeId: string | undefined;
  readonly siteId: string | undefined;
}

export interface FleetWatcher {
  onFleet(changes: readonly FleetChange[]): void;
}

/** Nobody in particular: what operators see beside this is not told live. */
const everybody = { operator: false };

export class FleetWatch implements SharedView, FleetListener {
  readonly #db: Database;
  readonly #logger: Logger;
  readonly #watchers = new Set<FleetWatcher>();
  readonly #stopListening: () => void;
  readonly #samples: NodeJS.Timeout;
  #dirty = new Set<string>();
  #sitesDirty = false;
  #timer: NodeJS.Timeout | undefined;
  #sampledUntil: Date | undefined;
  /** When each subject's sample was told. */
  readonly #told = new Map<string, number>();
  #stopped = false;

  constructor(options: { readonly db: Database; readonly logger: Logger; readonly feed: LiveFeed }) {
    this.#db = options.db;
    this.#logger = options.logger;
    this.#stopListening = options.feed.listenToFleet(this);
    this.#samples = setInterval(() => void this.#guard(() => this.#readSamples()), samplesMs);
  }

  watch(watcher: FleetWatcher): () => void {
    this.#watchers.add(watcher);
    return () => this.#watchers.delete(watcher);
  }

  onFleet(nodeIds: ReadonlySet<string>, sitesChanged: boolean): void {
    for (const id of nodeIds) this.#dirty.add(id);
    this.#sitesDirty ||= sitesChanged;
    this.#plan();
  }

  /** Changes were missed: everything that is shown is read again. */
  onReset(): void {
    void this.#guard(async () => {
      const nodes = await listNodes(this.#db.system, { limit: mostNodes });
      this.onFleet(new Set(nodes.map(({ id }) => id)), true);
    });
  }

  stop(): void {
    this.#stopped = true;
    clearTimeout(this.#timer);
    clearInterval(this.#samples);
    this.#stopListening();
  }

  #plan(): void {
    if (this.#timer !== undefined || this.#stopped) return;
    this.#timer = setTimeout(async () => {
      await this.#guard(() => this.#readNodes());
      this.#timer = undefined;
      if (this.#dirty.size > 0 || this.#sitesDirty) this.#plan();
    }, nodesMs);
  }

  async #readNodes(): Promise<void> {
    const ids = [...this.#dirty].slice(0, mostNodes);
    const sites = this.#sitesDirty;
    for (const id of ids) this.#dirty.delete(id);
    this.#sitesDirty = false;
    try {
      if (sites) await this.#readSites();
      if (ids.length === 0) return;
      const { nodes, devices } = await readFleetPart(this.#db.system, ids);
      const gone = ids.filter((id) => !nodes.some((node) => node.id === id));
      const removed = gone.length === 0 ? [] : await listNodes(this.#db.system, { ids: gone, presence: 'removed' });
      const devicesOf = Map.groupBy(devices, ({ nodeId }) => nodeId);
      this.#tell([
        ...[...nodes, ...removed.map(toLiveNode)].flatMap((node): FleetChange[] => {
          const about = { nodeId: node.id, siteId: node.site.id };
          const held = { nodeId: node.id, devices: devicesOf.get(node.id) ?? [] };
          return [
            { part: 'nodes', key: node.id, json: JSON.stringify(node), ...about },
            { part: 'devices', key: `devices ${node.id}`, json: JSON.stringify(held), ...about },
          ];
        }),
      ]);
    } catch (error) {
      for (const id of ids) this.#dirty.add(id);
      this.#sitesDirty ||= sites;
      throw error;
    }
  }

  async #readSites(): Promise<void> {
    const sites = (await listSites(this.#db.system)).map(toWireSite);
    this.#tell(
      sites.map((site) => ({
        part: 'sites',
        key: site.id,
        json: JSON.stringify(site),
        nodeId: undefined,
        siteId: site.id,
      })),
    );
  }

  async #readSamples(): Promise<void> {
    const { rows } = await this.#db.system.query<{
      id: string;
      node_id: string;
      site_id: string;
      at: Date;
      data: Record<string, number>;
    }>(
      `select s.subject_id as id, s.node_id, n.site_id, s.at, s.data from drm_samples s join drm_nodes n on n.id = s.node_id
       where s.at > coalesce($1::timestamptz, clock_timestamp() - make_interval(secs => $3)) - make_interval(secs => $2)`,
      [this.#sampledUntil ?? null, overlapSeconds, samplesMs / 1000],
    );
    const changes: FleetChange[] = [];
    for (const { id, node_id, site_id, at, data } of rows) {
      if (this.#sampledUntil === undefined || at > this.#sampledUntil) this.#sampledUntil = at;
      if (this.#told.get(id) === at.getTime()) continue;
      this.#told.set(id, at.getTime());
      const json = JSON.stringify({ id, ...toSample({ at, data }) });
      changes.push({ part: 'samples', key: `sample ${id}`, json, nodeId: node_id, siteId: site_id });
    }
    this.#tell(changes);
  }

  #tell(changes: readonly FleetChange[]): void {
    if (changes.length > 0) for (const watcher of [...this.#watchers]) watcher.onFleet(changes);
  }

  async #guard(run: () => Promise<void>): Promise<void> {
    if (this.#stopped) return;
    try {
      await run();
    } catch (error) {
      this.#logger.warn({ err: error }, 'the fleet could not be read for live pages; it is tried again');
    }
  }
}

const toLiveNode = (node: Parameters<typeof toWireNode>[0]): LiveNode => {
  const { facts: _, ...live } = toWireNode(node, everybody);
  return live;
};

/** Nodes with their devices as everybody may see them. */
export async function readFleetPart(
  db: Queryable,
  nodeIds: readonly string[],
): Promise<{ nodes: LiveNode[]; devices: LiveDevice[] }> {
  const nodes = await listNodes(db, { ids: nodeIds, limit: nodeIds.length });
  const devices = await listDevices(db, { nodeIds, limit: mostDevices });
  return {
    nodes: nodes.map(toLiveNode),
    devices: devices.map((device) => {
      const { facts: _, ...live } = toWireDevice(device, everybody);
      return live;
    }),
  };
}
