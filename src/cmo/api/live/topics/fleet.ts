/** Topic `fleet`: sites, nodes and devices with their latest samples, of the whole installation, of a site, or of one node. */
import { z } from 'zod';
import type { FleetSnapshot } from '../../../../common/contract/live.ts';
import { id } from '../../../../common/contract/routes/parts.ts';
import { withSystem } from '../../../../common/database/index.ts';
import { type Cursor, currentCursor } from '../../../../common/events/index.ts';
import { listNodes, listSites } from '../../../../drm/tracker/index.ts';
import { picture } from '../../jobs/read.ts';
import { toWireSite } from '../../sites.ts';
import { type FleetChange, FleetWatch, type FleetWatcher, readFleetPart } from '../fleet-watch.ts';
import { defineTopic, type Opening, type OpenTopic } from '../topic.ts';

const params = z.strictObject({
  siteId: id('site').optional(),
  nodeId: id('node').optional(),
  limit: z.int().min(1).max(1_000).default(500),
});
type Params = z.output<typeof params>;

export const fleetTopic = defineTopic<Params>({
  name: 'fleet',
  pattern: /^fleet$/,
  params: params as unknown as z.ZodType<Params>,
  open: async (opening) => {
    const part = new FleetPart(opening);
    try {
      await part.begin();
    } catch (error) {
      part.close();
      throw error;
    }
    return part;
  },
});

class FleetPart implements OpenTopic, FleetWatcher {
  readonly #opening: Opening<Params>;
  readonly #watch: FleetWatch;
  readonly #release: () => void;
  readonly #stopWatching: () => void;
  /** Nodes that were sent; undefined before the snapshot. */
  #nodes: Set<string> | undefined;
  #truncated = false;
  readonly #changedMeanwhile = new Set<string>();
  #sitesMeanwhile = false;

  constructor(opening: Opening<Params>) {
    this.#opening = opening;
    const { deps, feed, views } = opening.services;
    const held = views.acquire('fleet', () => new FleetWatch({ db: deps.db, logger: deps.logger, feed }));
    this.#watch = held.view;
    this.#release = held.release;
    this.#stopWatching = this.#watch.watch(this);
  }

  async begin(): Promise<void> {
    const { services, params, outlet } = this.#opening;
    await services.feed.ready();
    const key = `fleet ${JSON.stringify(params)}`;
    const { json, nodeIds, truncated, cursor } = await services.reads.share(key, () => this.#read());
    this.#nodes = new Set(nodeIds);
    this.#truncated = truncated;
    outlet.snapshot(json, cursor);
    // What changed while the picture was taken is read once more, for all who look.
    if (this.#changedMeanwhile.size > 0 || this.#sitesMeanwhile)
      this.#watch.onFleet(this.#changedMeanwhile, this.#sitesMeanwhile);
    this.#changedMeanwhile.clear();
  }

  close(): void {
    this.#stopWatching();
    this.#release();
  }

  onFleet(changes: readonly FleetChange[]): void {
    if (this.#nodes === undefined) {
      for (const { part, nodeId } of changes) {
        if (part === 'samples') continue;
        if (nodeId === undefined) this.#sitesMeanwhile = true;
        else this.#changedMeanwhile.add(nodeId);
      }
      return;
    }
    const mine = changes.filter((change) => this.#isMine(change));
    if (mine.length > 0) this.#opening.outlet.push(mine);
  }

  #isMine({ part, nodeId, siteId }: FleetChange): boolean {
    const { params } = this.#opening;
    if (params.siteId !== undefined && siteId !== params.siteId) return false;
    if (nodeId === undefined) return true;
    if (params.nodeId !== undefined && nodeId !== params.nodeId) return false;
    if (this.#nodes!.has(nodeId)) return true;
    // A node that joined belongs to a picture that has them all.
    if (part === 'nodes' && !this.#truncated) this.#nodes!.add(nodeId);
    return this.#nodes!.has(nodeId);
  }

  #read(): Promise<{ json: string; nodeIds: string[]; truncated: boolean; cursor: Cursor }> {
    const { services, params } = this.#opening;
    return withSystem(
      services.deps.db,
      async (tx) => {
        const cursor = await currentCursor(tx);
        const ids = params.nodeId === undefined ? undefined : [params.nodeId];
        const found = await listNodes(tx, { siteId: params.siteId, ids, limit: params.limit + 1 });
        const nodeIds = found.slice(0, params.limit).map((node) => node.id);
        const sites = (await listSites(tx)).filter((site) => params.siteId === undefined || site.id === params.siteId);
        const truncated = found.length > params.limit;
        const snapshot: FleetSnapshot = {
          sites: sites.map(toWireSite),
          ...(await readFleetPart(tx, nodeIds)),
          truncated,
        };
        return { json: JSON.stringify(snapshot), nodeIds, truncated, cursor };
      },
      picture,
    );
  }
}
