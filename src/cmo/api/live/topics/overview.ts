/**
 * Topic `overview`: the figures of `GET /v1/overview` and the newest jobs. One set a tenant for all who look, read again while jobs
 * change and every few seconds for what grows by itself; the longer a reading takes, the less often.
 */
import { z } from 'zod';
import type { OverviewFields } from '../../../../common/contract/live.ts';
import { withTenant } from '../../../../common/database/index.ts';
import { type Cursor, currentCursor } from '../../../../common/events/index.ts';
import { picture, readList } from '../../jobs/read.ts';
import { readOverview } from '../../overview.ts';
import type { FeedListener, Tick } from '../feed.ts';
import type { SharedView } from '../shared-views.ts';
import {
  defineTopic,
  type EntityChange,
  type LiveServices,
  type Opening,
  type OpenTopic,
  type Outlet,
} from '../topic.ts';

/** Least time between readings, ms; and so many times as long as one takes. */
const leastMs = 1_000;
const restFactor = 20;
const mostMs = 30_000;
/** What is spent, and the fleet, change without events of the tenant, ms. */
const slowMs = 5_000;
const lastJobs = 6;

const params = z.strictObject({});
type Params = z.output<typeof params>;

export const overviewTopic = defineTopic<Params>({
  name: 'overview',
  pattern: /^overview$/,
  params,
  open: async ({ services, principal, outlet }: Opening<Params>): Promise<OpenTopic> => {
    const tenant = principal.tenant.id;
    const { view, release } = services.views.acquire(`overview ${tenant}`, () => new Figures(services, tenant));
    try {
      await view.fresh();
      view.add(outlet);
    } catch (error) {
      release();
      throw error;
    }
    return {
      close: () => {
        view.remove(outlet);
        release();
      },
    };
  },
});

interface Reading {
  readonly fields: OverviewFields;
  readonly cursor: Cursor;
}

/** A tenant's figures, kept up to date while somebody looks. */
class Figures implements SharedView, FeedListener {
  readonly tenant: string;
  readonly wantsJobs = false;
  readonly #services: LiveServices;
  readonly #outlets = new Set<Outlet>();
  readonly #stopListening: () => void;
  readonly #slow: NodeJS.Timeout;
  #last: Reading | undefined;
  #reading: Promise<Reading> | undefined;
  #timer: NodeJS.Timeout | undefined;
  #readAt = 0;
  #restMs = leastMs;
  #stopped = false;

  constructor(services: LiveServices, tenant: string) {
    this.#services = services;
    this.tenant = tenant;
    this.#stopListening = services.feed.listen(this);
    this.#slow = setInterval(() => this.#plan(), slowMs);
  }

  /** Reads the figures if nobody did within a second. */
  async fresh(): Promise<void> {
    if (this.#last === undefined || performance.now() - this.#readAt >= this.#restMs) await this.#read();
  }

  /** Sends what was read last, and whatever changes from then on; both in one step, so that nothing falls between. */
  add(outlet: Outlet): void {
    outlet.snapshot(JSON.stringify(this.#last!.fields), this.#last!.cursor);
    this.#outlets.add(outlet);
  }

  remove(outlet: Outlet): void {
    this.#outlets.delete(outlet);
  }

  onTick(_tick: Tick): void {
    this.#plan();
  }

  onReset(): void {
    this.#plan();
  }

  stop(): void {
    this.#stopped = true;
    clearTimeout(this.#timer);
    clearInterval(this.#slow);
    this.#stopListening();
  }

  #plan(): void {
    if (this.#timer !== undefined || this.#stopped) return;
    const wait = Math.max(0, this.#readAt + this.#restMs - performance.now());
    this.#timer = setTimeout(() => {
      this.#timer = undefined;
      // It is asked again at the next change, and every few seconds anyhow.
      this.#read().catch((error) =>
        this.#services.deps.logger.warn({ err: error }, 'the overview could not be read; it is tried again'),
      );
    }, wait);
  }

  #read(): Promise<Reading> {
    this.#reading ??= this.#readOnce().finally(() => {
      this.#reading = undefined;
    });
    return this.#reading;
  }

  async #readOnce(): Promise<Reading> {
    await this.#services.feed.ready();
    this.#readAt = performance.now();
    const before = this.#last;
    const reading = await this.#services.reads.share(`overview ${this.tenant}`, () => this.#query());
    this.#last = reading;
    const changes = differences(before?.fields, reading.fields);
    if (changes.length > 0) for (const outlet of this.#outlets) outlet.push(changes, reading.cursor);
    return reading;
  }

  #query(): Promise<Reading> {
    const { deps } = this.#services;
    return withTenant(
      deps.db,
      this.tenant,
      async (tx) => {
        const began = performance.now();
        const cursor = await currentCursor(tx);
        const figures = await readOverview(tx, this.tenant, deps.clock.now());
        const { items } = await readList(tx, this.tenant, { limit: lastJobs });
        this.#restMs = Math.min(mostMs, Math.max(leastMs, restFactor * (performance.now() - began)));
        return { fields: { ...figures, lastJobs: items }, cursor };
      },
      picture,
    );
  }
}

function differences(before: OverviewFields | undefined, after: OverviewFields): EntityChange[] {
  const changed = Object.entries(after)
    .map(([key, value]) => ({ part: 'fields', key, json: JSON.stringify(value) }))
    .filter(({ key, json }) => json !== JSON.stringify(before?.[key as keyof OverviewFields]));
  // The time alone is no news.
  return changed.length === 1 && changed[0]!.key === 'at' ? [] : changed;
}
