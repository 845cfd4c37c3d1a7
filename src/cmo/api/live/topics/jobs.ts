/**
 * Topic `jobs`: a window onto the list of jobs. Rows of the window are told whenever they change; other jobs that belong into it are
 * counted and not sent, so that a page of fifty rows costs the same in a tenant with a thousand submits a second.
 */
import type { z } from 'zod';
import { jobRoutes } from '../../../../common/contract/routes/jobs.ts';
import { withTenant } from '../../../../common/database/index.ts';
import { changedSince, isCursor } from '../../../../common/events/changes.ts';
import { type Cursor, currentCursor } from '../../../../common/events/index.ts';
import { isId } from '../../../../common/ids.ts';
import type { JobRow } from '../../../jobs/index.ts';
import { picture, readList } from '../../jobs/read.ts';
import type { FeedListener, Tick } from '../feed.ts';
import { type LiveJob, readLiveJobs } from '../live-jobs.ts';
import { jobIds } from '../messages.ts';
import { Outbox } from '../outbox.ts';
import { defineTopic, type EntityChange, type Opening, type OpenTopic } from '../topic.ts';

const listQuery = jobRoutes.listJobs.query;
const params = listQuery.omit({ cursor: true }).extend({ ids: jobIds.optional() });
type Params = z.output<typeof params>;

/** More changed jobs than this are not caught up with one by one. */
const mostMissed = 2_000;
/** Counting further says nothing more. */
const mostFresh = 1_000;
/** The count is told at most so often, ms: a thousand submits a second must not become a frame each on every screen. */
const freshMs = 500;

export const jobsTopic = defineTopic<Params>({
  name: 'jobs',
  pattern: /^jobs$/,
  params: params as unknown as z.ZodType<Params>,
  open: async (opening) => {
    const view = new JobsWindow(opening);
    try {
      await view.begin();
    } catch (error) {
      view.close();
      throw error;
    }
    return view;
  },
});

interface Page {
  readonly json: string;
  readonly ids: readonly string[];
  readonly hasMore: boolean;
  readonly cursor: Cursor;
}

class JobsWindow implements OpenTopic, FeedListener {
  readonly tenant: string;
  readonly wantsJobs = true;
  readonly #opening: Opening<Params>;
  readonly #stopListening: () => void;
  #window = new Set<string>();
  #fresh = new Set<string>();
  #freshTold = 0;
  #freshToldAt = 0;
  #freshTimer: NodeJS.Timeout | undefined;
  /** Jobs below this id belong to later pages. */
  #lowest = '';
  /** Jobs that changed before the snapshot was sent; undefined afterwards. */
  #changedMeanwhile: Set<string> | undefined = new Set();

  constructor(opening: Opening<Params>) {
    this.#opening = opening;
    this.tenant = opening.principal.tenant.id;
    this.#stopListening = opening.services.feed.listen(this);
  }

  async begin(): Promise<void> {
    const { services, since, params, outlet } = this.#opening;
    await services.feed.ready();
    if (since !== undefined && params.ids !== undefined) {
      if (!(await this.#resume(since, params.ids))) {
        outlet.reset('too_old');
        return;
      }
    } else {
      const page = await services.reads.share(`jobs ${this.tenant} ${JSON.stringify(params)}`, () => this.#readPage());
      this.#show(page.ids, page.hasMore);
      outlet.snapshot(page.json, page.cursor);
    }
    const missed = this.#changedMeanwhile ?? [];
    this.#changedMeanwhile = undefined;
    // Whether the picture has them or not, nobody knows; read now, they are newer than it.
    services.feed.readAgain(this.tenant, missed);
  }

  watch(ids: readonly string[]): void {
    const added = ids.filter((id) => isId('job', id) && !this.#window.has(id));
    this.#show(ids, true);
    this.#opening.services.feed.readAgain(this.tenant, added);
  }

  close(): void {
    clearTimeout(this.#freshTimer);
    this.#stopListening();
    this.#opening.services.feed.hide(this.#window);
    this.#window.clear();
  }

  onTick(tick: Tick): void {
    if (this.#changedMeanwhile) {
      if (tick.overrun) this.#opening.outlet.reset('overrun');
      for (const id of tick.jobs.keys()) this.#changedMeanwhile.add(id);
      return;
    }
    if (tick.overrun) this.#opening.outlet.reset('overrun');
    else this.#opening.outlet.push(this.#take(tick.jobs.values(), tick), tick.cursor);
  }

  onReset(): void {
    this.#opening.outlet.reset('too_old');
  }

  /** What of changed jobs concerns this window. */
  #take(jobs: Iterable<LiveJob>, tick?: Tick): EntityChange[] {
    const changes: EntityChange[] = [];
    for (const job of jobs) {
      const { id } = job.row;
      const atMs = tick?.changes.get(id)?.atMs;
      const time = atMs === undefined ? {} : { atMs };
      if (this.#window.has(id)) changes.push({ part: 'put', key: id, json: job.json, ...time });
      else if (id > this.#lowest && matches(job.row, job.row.project_name, this.#opening.params)) {
        if (this.#fresh.size < mostFresh) this.#fresh.add(id);
      } else this.#fresh.delete(id);
    }
    if (this.#fresh.size !== this.#freshTold) this.#planFresh();
    return changes;
  }

  #planFresh(): void {
    if (this.#freshTimer !== undefined) return;
    const wait = Math.max(0, this.#freshToldAt + freshMs - performance.now());
    this.#freshTimer = setTimeout(() => {
      this.#opening.outlet.push(this.#takeFresh());
    }, wait);
  }

  #takeFresh(): EntityChange[] {
    clearTimeout(this.#freshTimer);
    this.#freshTimer = undefined;
    if (this.#fresh.size === this.#freshTold) return [];
    this.#freshToldAt = performance.now();
    this.#freshTold = this.#fresh.size;
    return [{ part: 'fields', key: 'fresh', json: String(this.#freshTold) }];
  }

  /** @param hasMore whether rows below the last of these belong to other pages */
  #show(ids: readonly string[], hasMore: boolean): void {
    const { feed } = this.#opening.services;
    feed.hide(this.#window);
    this.#window = new Set(ids);
    for (const id of ids) this.#fresh.delete(id);
    if (this.#fresh.size !== this.#freshTold) this.#planFresh();
    this.#lowest = hasMore ? ([...ids].sort()[0] ?? '') : '';
    feed.show(this.#window);
  }

  #readPage(): Promise<Page> {
    const { services, params } = this.#opening;
    const { ids, ...query } = params;
    return withTenant(
      services.deps.db,
      this.tenant,
      async (tx) => {
        const cursor = await currentCursor(tx);
        if (ids === undefined) {
          const { items, nextCursor } = await readList(tx, this.tenant, { ...query, cursor: undefined });
          const json = JSON.stringify({ items, nextCursor });
          return { json, ids: items.map(({ id }) => id), hasMore: nextCursor !== null, cursor };
        }
        const jobs = (await readLiveJobs(tx, ids)).sort((a, b) => (a.row.id < b.row.id ? 1 : -1));
        const json = `{"items":[${jobs.map((job) => job.json).join(',')}],"nextCursor":null}`;
        return { json, ids: jobs.map(({ row }) => row.id), hasMore: true, cursor };
      },
      picture,
    );
  }

  /** Sends what changed since a cursor. @returns false when that cannot be known, or is too much */
  async #resume(since: string, ids: readonly string[]): Promise<boolean> {
    if (!isCursor(since)) return false;
    const { services, outlet } = this.#opening;
    const found = await withTenant(
      services.deps.db,
      this.tenant,
      async (tx) => {
        const cursor = await currentCursor(tx);
        const changed = await changedSince(tx, this.tenant, since, { prefix: 'job_', limit: mostMissed });
        if (changed === undefined) return undefined;
        // Verdicts on waiting jobs write no events: those of the window are told as they are.
        const jobs = await readLiveJobs(tx, [...new Set([...changed, ...ids])]);
        const wanted = new Set(changed);
        return { cursor, jobs: jobs.filter(({ row }) => wanted.has(row.id) || row.state === 'queued') };
      },
      picture,
    );
    if (!found) return false;
    this.#show(ids, true);
    const outbox = new Outbox();
    outbox.add([...this.#take(found.jobs), ...this.#takeFresh()], found.cursor);
    outlet.send(outbox.take(), found.cursor);
    return true;
  }
}

/** Whether a job is one of a filter's; the same as `listJobs` asks the database. */
function matches(row: JobRow, project: string, params: Params): boolean {
  return (
    (!params.state?.length || params.state.includes(row.state)) &&
    (params.project === undefined || params.project === project) &&
    (params.namePrefix === undefined || row.name.startsWith(params.namePrefix)) &&
    (params.arrayId === undefined || row.array_id === params.arrayId) &&
    (params.submittedBy === undefined || row.submitted_by === params.submittedBy) &&
    (params.label ?? []).every((text) => {
      const colon = text.indexOf(':');
      return row.spec.labels[text.slice(0, colon)] === text.slice(colon + 1);
    })
  );
}
