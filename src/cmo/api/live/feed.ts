/**
 * The one reader of the feeds in a process, for all its live sockets.
 *
 * A query per socket and event would make the database's work the product of both. So one loop reads which rows changed, of all
 * tenants, and hands them to the listeners of their tenant; jobs that somebody looks at are read again once, however many
 * sockets show them. It sleeps while nobody listens, is woken by whoever wakes loops, and looks every second besides, since
 * wake-ups may be lost.
 *
 * Listeners take a tick before the next one is read, and only then does the cursor that they were given count. A listener that is
 * added gets every tick that is read after that; the snapshot that it takes then joins on without a gap.
 */
import type { Database } from '../../../common/database/index.ts';
import { type Change, type ChangeBatch, readChanges } from '../../../common/events/changes.ts';
import { type Cursor, currentCursor, type Loop, runLoop, type Wake } from '../../../common/events/index.ts';
import type { Logger } from '../../../common/logger.ts';
import { type LiveJob, readLiveJobs } from './live-jobs.ts';

/** Pause between two reads at least, ms: what comes meanwhile travels together. */
const gatherMs = 25;
/** Pause after a read that took long, ms: others want to work too, but who looks on shall not wait for as long again. */
const mostPauseMs = 50;
/** A look without a wake-up while somebody listens, ms. */
const lookMs = 1_000;
/** More changed jobs of one tenant than this are not told one by one. */
export const mostChangedJobs = 5_000;
/** Synchronous work between two yields, ms. */
const sliceMs = 4;

/** What changed in a tenant between two reads. */
export interface Tick {
  readonly cursor: Cursor;
  /** By id of the row. */
  readonly changes: ReadonlyMap<string, Change>;
  /** Changed jobs as they are now; only with a listener that wants jobs. Missing ones are no more. */
  readonly jobs: ReadonlyMap<string, LiveJob>;
  /** More jobs changed than are told; take a snapshot. */
  readonly overrun: boolean;
}

export interface FeedListener {
  readonly tenant: string;
  /** Whether jobs are to be read for it. */
  readonly wantsJobs: boolean;
  /** Quick, and never fails. */
  onTick(tick: Tick): void;
  /** The feed cannot be continued: take a snapshot. */
  onReset(): void;
}

export interface FleetListener {
  /** Nodes that changed, by id. */
  onFleet(nodeIds: ReadonlySet<string>, sitesChanged: boolean): void;
  onReset(): void;
}

export interface FeedOptions {
  readonly db: Database;
  readonly wake: Wake;
  readonly logger: Logger;
}

/** Every writer of events wakes one of these. */
const topics = ['events', 'scheduler', 'orchestrator', 'tracker', 'keys'];
const dirtyKinds = ['verdict', 'node', 'site'];

export class LiveFeed {
  readonly #options: FeedOptions;
  readonly #listeners = new Map<string, Set<FeedListener>>();
  readonly #fleet = new Set<FleetListener>();
  /** How many sockets show a job, for those that change without an event. */
  readonly #shown = new Map<string, number>();
  /** Jobs to be read again at the next tick: they changed while a snapshot was taken. */
  readonly #again = new Map<string, string>();
  #cursor: Cursor | undefined;
  #ready = Promise.withResolvers<void>();
  #reading: Promise<ChangeBatch> | undefined;
  #loop: Loop | undefined;
  #ticker: NodeJS.Timeout | undefined;
  #lastRead = 0;
  #lastTook = 0;

  constructor(options: FeedOptions) {
    this.#options = options;
  }

  /** Resolves when every change from now on will be told: a picture that is taken afterwards joins on without a gap. */
  async ready(): Promise<void> {
    while (this.#cursor === undefined) await this.#ready.promise;
    // A reading under way asks only for tenants that were listened to when it began, and its moment is not known yet.
    await this.#reading?.catch(() => {});
  }

  /** Listens to a tenant. @returns how to stop */
  listen(listener: FeedListener): () => void {
    const listeners = this.#listeners.get(listener.tenant) ?? new Set();
    this.#listeners.set(listener.tenant, listeners.add(listener));
    this.#start();
    return () => {
      listeners.delete(listener);
      if (listeners.size === 0 && this.#listeners.get(listener.tenant) === listeners)
        this.#listeners.delete(listener.tenant);
      this.#stopIfIdle();
    };
  }

  /** Listens to nodes and sites. @returns how to stop */
  listenToFleet(listener: FleetListener): () => void {
    this.#fleet.add(listener);
    this.#start();
    return () => {
      this.#fleet.delete(listener);
      this.#stopIfIdle();
    };
  }

  /** Jobs that a socket shows, whose verdicts it wants to know. Undone by `hide`. */
  show(jobIds: Iterable<string>): void {
    for (const id of jobIds) this.#shown.set(id, (this.#shown.get(id) ?? 0) + 1);
  }

  hide(jobIds: Iterable<string>): void {
    for (const id of jobIds) {
      const left = (this.#shown.get(id) ?? 1) - 1;
      if (left > 0) this.#shown.set(id, left);
      else this.#shown.delete(id);
    }
  }

  /** Has jobs read again at the next tick. */
  readAgain(tenant: string, jobIds: Iterable<string>): void {
    for (const id of jobIds) this.#again.set(id, tenant);
    if (this.#again.size > 0) this.#loop?.wake();
  }

  async stop(): Promise<void> {
    this.#listeners.clear();
    this.#fleet.clear();
    clearInterval(this.#ticker);
    await this.#loop?.stop();
  }

  #start(): void {
    this.#ticker ??= setInterval(() => this.#loop?.wake(), lookMs);
    this.#loop ??= runLoop({
      name: 'live feed',
      wakeOn: topics,
      wake: this.#options.wake,
      logger: this.#options.logger,
      run: () => this.#round(),
    });
    this.#loop.wake();
  }

  #stopIfIdle(): void {
    if (this.#listeners.size > 0 || this.#fleet.size > 0) return;
    clearInterval(this.#ticker);
    this.#ticker = undefined;
  }

  async #round(): Promise<void> {
    if (this.#listeners.size === 0 && this.#fleet.size === 0) {
      this.#cursor = undefined;
      return;
    }
    const pause = Math.min(mostPauseMs, Math.max(gatherMs, this.#lastTook));
    const wait = this.#lastRead + pause - performance.now();
    if (wait > 0) await new Promise((resolve) => setTimeout(resolve, wait));
    const began = performance.now();
    await this.#readOn();
    this.#lastRead = performance.now();
    // A round that took long found much, or a machine that has much to do: see `mostPauseMs`.
    this.#lastTook = this.#lastRead - began;
  }

  async #readOn(): Promise<void> {
    const { db } = this.#options;
    if (this.#cursor === undefined) {
      this.#cursor = await currentCursor(db.system);
      this.#ready.resolve();
      this.#ready = Promise.withResolvers();
      return;
    }
    const again = new Map(this.#again);
    this.#reading = readChanges(db, [...this.#listeners.keys()], dirtyKinds, this.#cursor);
    const batch = await this.#reading.finally(() => {
      this.#reading = undefined;
    });
    if (batch.kind === 'reset') {
      this.#cursor = batch.cursor;
      this.#reset();
      return;
    }
    const tenants = Map.groupBy(
      batch.changes.filter(({ tenant }) => this.#listeners.has(tenant)),
      ({ tenant }) => tenant,
    );
    const verdicts = (batch.dirty.get('verdict') ?? []).filter((id) => this.#shown.has(id));
    const jobs = await this.#readJobs(tenants, [...again.keys(), ...verdicts]);
    for (const [id] of again) this.#again.delete(id);
    this.#cursor = batch.cursor;
    await this.#tell(batch.cursor, tenants, jobs);
    this.#tellFleet(batch.dirty);
  }

  /** Changed jobs of tenants with somebody who wants them, read once, by tenant. */
  async #readJobs(
    tenants: ReadonlyMap<string, readonly Change[]>,
    others: readonly string[],
  ): Promise<Map<string, Map<string, LiveJob>>> {
    const ids = new Set(others);
    for (const [tenant, changes] of tenants) {
      if (![...this.#listeners.get(tenant)!].some(({ wantsJobs }) => wantsJobs)) continue;
      const changed = changes.filter(({ subject }) => subject.startsWith('job_'));
      if (changed.length <= mostChangedJobs) for (const { subject } of changed) ids.add(subject);
    }
    const byTenant = new Map<string, Map<string, LiveJob>>();
    for (const job of await readLiveJobs(this.#options.db.system, [...ids])) {
      const found = byTenant.get(job.row.tenant);
      if (found) found.set(job.row.id, job);
      else byTenant.set(job.row.tenant, new Map([[job.row.id, job]]));
    }
    return byTenant;
  }

  async #tell(
    cursor: Cursor,
    tenants: ReadonlyMap<string, readonly Change[]>,
    jobs: ReadonlyMap<string, ReadonlyMap<string, LiveJob>>,
  ): Promise<void> {
    let sliceBegan = performance.now();
    for (const tenant of new Set([...tenants.keys(), ...jobs.keys()])) {
      const changes = new Map((tenants.get(tenant) ?? []).map((change) => [change.subject, change]));
      const changed = [...changes.keys()].filter((id) => id.startsWith('job_')).length;
      const tick: Tick = { cursor, changes, jobs: jobs.get(tenant) ?? new Map(), overrun: changed > mostChangedJobs };
      for (const listener of [...(this.#listeners.get(tenant) ?? [])]) {
        listener.onTick(tick);
        if (performance.now() - sliceBegan < sliceMs) continue;
        await new Promise(setImmediate);
        sliceBegan = performance.now();
      }
    }
  }

  #tellFleet(dirty: ReadonlyMap<string, readonly string[]>): void {
    const nodes = new Set(dirty.get('node') ?? []);
    const sites = (dirty.get('site') ?? []).length > 0;
    if (nodes.size > 0 || sites) for (const listener of [...this.#fleet]) listener.onFleet(nodes, sites);
  }

  #reset(): void {
    for (const listeners of [...this.#listeners.values()]) for (const listener of [...listeners]) listener.onReset();
    for (const listener of [...this.#fleet]) listener.onReset();
  }
}
