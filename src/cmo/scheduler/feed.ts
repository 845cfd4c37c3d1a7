/**
 * Keeps the worker's copy of the rows current: reads the rows whose keys are dirty and posts them.
 *
 * Rows are read in pages, each in one statement without a transaction around it, since round trips are what a reset over a large fleet or a
 * burst of submits costs. The cursor moves on only when all rows were posted; a failure in between reads the same keys again.
 */
import type { Clock } from '../../common/clock.ts';
import type { Database } from '../../common/database/index.ts';
import { DirtyReader } from '../../common/events/index.ts';
import type { Logger } from '../../common/logger.ts';
import { readFleet, readFleetSites } from '../../drm/tracker/index.ts';
import { readPendingJobs } from '../jobs/index.ts';
import { AccountFeed } from './accounts/account-feed.ts';
import { CalendarFeed } from './calendar-feed.ts';
import { readHistory } from './history-rows.ts';
import { readRevisions } from './queries.ts';
import { queuedJobsOf } from './queued-job.ts';
import { Resync } from './resync.ts';
import { RunningFeed } from './running-feed.ts';
import type { ComparedKind } from './worker/messages.ts';
import type { RoundWorker } from './worker/round-worker.ts';

/** Sites before nodes, which name them. */
const kinds: readonly ComparedKind[] = ['site', 'node', 'job'];
/** Somebody set an account, or reserved nodes: it is in force with the next round. */
const accountKind = 'account';
const reservationKind = 'reservation';
const dirtyKinds = [...kinds, accountKind, reservationKind];
/** Rows of a page: a few milliseconds to read and post. */
const pageSize = 500;

export interface FeedOptions {
  readonly db: Database;
  readonly clock: Clock;
  readonly logger: Logger;
  /** After so long past use counts half, seconds. */
  readonly halfLifeSeconds: number;
  /** Shortest time between turns of the rolling comparison, milliseconds. */
  readonly compareEveryMs: number;
  /** Told how many rows differed although no key said so. */
  readonly onDifference: (kind: ComparedKind, count: number) => void;
}

export class Feed {
  readonly #options: FeedOptions;
  readonly #resync: Resync;
  readonly #running: RunningFeed;
  readonly #accounts: AccountFeed;
  readonly #calendar: CalendarFeed;
  #reader: DirtyReader;
  #lastResync = 0;
  /** What must be read again, though no key may come. */
  readonly #doubtful = new Map<ComparedKind, Set<string>>();

  constructor(options: FeedOptions) {
    this.#options = options;
    this.#resync = new Resync(options.db);
    this.#running = new RunningFeed(options.db);
    this.#accounts = new AccountFeed(options.db, options.logger, options.halfLifeSeconds);
    this.#calendar = new CalendarFeed(options.db);
    this.#reader = new DirtyReader(options.db, dirtyKinds);
  }

  /** Everything is read again at the next pull: for a new worker. */
  restart(): void {
    this.#reader = new DirtyReader(this.#options.db, dirtyKinds);
  }

  /** Reads these again at the next pull, whether their keys come or not. */
  doubt(kind: ComparedKind, ids: Iterable<string>): void {
    const doubtful = this.#doubtful.get(kind) ?? new Set();
    for (const id of ids) doubtful.add(id);
    this.#doubtful.set(kind, doubtful);
  }

  /** These were committed as the worker planned them. */
  placed(jobIds: readonly string[]): void {
    this.#running.placed(jobIds);
  }

  /** Brings the worker up to date with what was committed when it was called. */
  async pull(worker: RoundWorker): Promise<void> {
    const batch = await this.#reader.read();
    if (batch.kind === 'reset') {
      this.#doubtful.clear();
      this.#resync.clear();
      this.#running.reset();
      this.#accounts.reset();
      this.#calendar.reset();
      worker.reset();
      // Before any job, whose run time is predicted from it.
      worker.apply({ history: await readHistory(this.#options.db.system) });
      // First of all: they tell how jobs are grouped.
      await this.#accounts.refresh(worker, this.#options.clock.monotonicMs());
      await this.#calendar.refresh(worker, this.#options.clock.monotonicMs());
      for (const kind of kinds) await this.#readAll(worker, kind);
    } else {
      this.#missed(batch.keys);
      // Before jobs, whose groups they decide.
      if (batch.keys.has(accountKind)) this.#accounts.expire();
      if (batch.keys.has(reservationKind)) this.#calendar.expire();
      await this.#accounts.refresh(worker, this.#options.clock.monotonicMs());
      await this.#calendar.refresh(worker, this.#options.clock.monotonicMs());
      for (const kind of kinds) {
        const doubtful = this.#doubtful.get(kind) ?? new Set<string>();
        await this.#readKeys(worker, kind, [...new Set([...(batch.keys.get(kind) ?? []), ...doubtful])]);
        this.#doubtful.delete(kind);
      }
    }
    await this.#running.refresh(worker, this.#epochMs(), this.#options.clock.monotonicMs());
    this.#reader.advance(batch.cursor);
    const now = this.#options.clock.monotonicMs();
    if (batch.kind === 'keys' && now - this.#lastResync >= this.#options.compareEveryMs) {
      this.#lastResync = now;
      await this.#resync.turn(worker);
    }
  }

  #epochMs(): number {
    return this.#options.clock.now().getTime();
  }

  #missed(keys: ReadonlyMap<string, readonly string[]>): void {
    for (const [kind, ids] of this.#resync.missed(keys)) {
      this.#options.onDifference(kind, ids.length);
      this.doubt(kind, ids);
    }
  }

  async #readAll(worker: RoundWorker, kind: ComparedKind): Promise<void> {
    let after = '';
    for (;;) {
      const from = after;
      const page = await readRevisions(this.#options.db.system, kind, from, pageSize);
      if (page.length === 0) return;
      const ids = page.map(([id]) => id);
      await this.#post(worker, kind, ids);
      after = ids.at(-1)!;
    }
  }

  async #readKeys(worker: RoundWorker, kind: ComparedKind, ids: readonly string[]): Promise<void> {
    for (let from = 0; from < ids.length; from += pageSize) {
      await this.#post(worker, kind, ids.slice(from, from + pageSize));
    }
  }

  /** Reads the rows of some ids and posts them, null for those that are no more. */
  async #post(worker: RoundWorker, kind: ComparedKind, ids: readonly string[]): Promise<void> {
    const { system } = this.#options.db;
    switch (kind) {
      case 'site':
        worker.apply({ sites: byId(ids, await readFleetSites(system, ids)) });
        break;
      case 'node':
        worker.apply({ nodes: byId(ids, await readFleet(system, ids)) });
        break;
      case 'job': {
        const rows = await readPendingJobs(system, ids);
        const now = this.#epochMs();
        await this.#running.changed(worker, ids, new Set(rows.map(({ id }) => id)), now);
        worker.apply({ now, jobs: queuedJobsOf(ids, rows) });
      }
    }
  }
}

/** Pairs each id with its row, or null. */
function byId<Row extends { id: string }>(ids: readonly string[], rows: readonly Row[]): [string, Row | null][] {
  const found = new Map(rows.map((row) => [row.id, row]));
  return ids.map((id) => [id, found.get(id) ?? null]);
}
