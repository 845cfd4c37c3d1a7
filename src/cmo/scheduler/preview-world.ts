/**
 * Fleet, reservations, accounts, running work and the front of the queue, as dry runs see them: at most two seconds old.
 *
 * Kept by dirty keys like the scheduler's own copy, so that a flood of dry runs over a large fleet reads what changed and not the fleet. Of
 * the queue only the front is held: what comes behind a job does not keep it waiting. Run times are learned as in the scheduler: from the
 * newest ends at the start, then from those that it sees.
 */
import type { Database } from '../../common/database/index.ts';
import { DirtyReader } from '../../common/events/index.ts';
import { readBookings } from '../../drm/allocator/index.ts';
import { readFleet, readFleetSites } from '../../drm/tracker/index.ts';
import { readPendingJobs } from '../jobs/index.ts';
import { readAccounts } from './accounts/account-rows.ts';
import { checkAccounts, InvalidAccountsError } from './core/shares/check-accounts.ts';
import { readHistory } from './history-rows.ts';
import { readRevisions } from './queries.ts';
import { queuedJobOf } from './queued-job.ts';
import { RunningFeed } from './running-feed.ts';
import { RoundEngine } from './worker/round-engine.ts';

const kinds = ['site', 'node', 'job'] as const;
const pageSize = 500;
const freshMs = 2_000;
const accountsFreshMs = 5_000;
/** The queue is read again after so many times as long as reading it took: a million jobs must not keep the database busy. */
const queuePause = 10;
/** Jobs of the queue that are planned with, and distinct requests among them. */
const mostQueued = 500;
const mostShapes = 64;

export class PreviewWorld {
  readonly engine = new RoundEngine();
  readonly #db: Database;
  readonly #reader: DirtyReader;
  readonly #running: RunningFeed;
  #readAt = Number.NEGATIVE_INFINITY;
  #accountsAt = Number.NEGATIVE_INFINITY;
  #queueDueAt = Number.NEGATIVE_INFINITY;
  /** What the engine has. */
  #calendar = '[]';
  #queued: readonly string[] = [];

  constructor(db: Database) {
    this.#db = db;
    this.#reader = new DirtyReader(db, kinds);
    this.#running = new RunningFeed(db);
  }

  /** Brings it up to date when it is older than two seconds. @param now epoch milliseconds */
  async refresh(now: number): Promise<void> {
    const started = performance.now();
    if (started - this.#readAt < freshMs) return;
    const batch = await this.#reader.read();
    if (batch.kind === 'reset') {
      this.engine.reset();
      this.#running.reset();
      this.#accountsAt = Number.NEGATIVE_INFINITY;
      this.#queueDueAt = Number.NEGATIVE_INFINITY;
      this.#queued = [];
      this.#calendar = '[]';
      // Before any job, whose run time is predicted from it, as in the scheduler.
      this.engine.apply({ history: await readHistory(this.#db.system) });
    }
    await this.#readAccounts();
    if (batch.kind === 'reset') {
      for (const kind of ['site', 'node'] as const) await this.#readAll(kind);
    } else {
      await this.#readSites(batch.keys.get('site') ?? []);
      await this.#readNodes(batch.keys.get('node') ?? []);
      await this.#running.changed(this.engine, batch.keys.get('job') ?? [], new Set(), now);
    }
    await this.#running.refresh(this.engine, now, performance.now());
    this.#reader.advance(batch.cursor);
    await this.#readQueue(now);
    this.#readAt = started;
  }

  /** Accounts, and nodes that are promised for a time. */
  async #readAccounts(): Promise<void> {
    const at = performance.now();
    if (at - this.#accountsAt < accountsFreshMs) return;
    const calendar = await readBookings(this.#db.system);
    const text = JSON.stringify(calendar);
    if (text !== this.#calendar) this.engine.apply({ calendar });
    this.#calendar = text;
    const accounts = await readAccounts(this.#db.system);
    try {
      checkAccounts(accounts);
      this.engine.apply({ accounts });
    } catch (error) {
      // As in rounds: those that make no sense are not used.
      if (!(error instanceof InvalidAccountsError)) throw error;
    }
    this.#accountsAt = at;
  }

  async #readAll(kind: 'site' | 'node'): Promise<void> {
    for (let after = ''; ; ) {
      const ids = (await readRevisions(this.#db.system, kind, after, pageSize)).map(([id]) => id);
      if (ids.length === 0) return;
      await (kind === 'site' ? this.#readSites(ids) : this.#readNodes(ids));
      after = ids.at(-1)!;
    }
  }

  async #readSites(ids: readonly string[]): Promise<void> {
    const rows = new Map((await readFleetSites(this.#db.system, ids)).map((row) => [row.id, row]));
    this.engine.apply({ sites: ids.map((id) => [id, rows.get(id) ?? null] as const) });
  }

  async #readNodes(ids: readonly string[]): Promise<void> {
    for (let from = 0; from < ids.length; from += pageSize) {
      const page = ids.slice(from, from + pageSize);
      const rows = new Map((await readFleet(this.#db.system, page)).map((row) => [row.id, row]));
      this.engine.apply({ nodes: page.map((id) => [id, rows.get(id) ?? null] as const) });
    }
  }

  /** The front of the queue by priority and arrival; of many requests the first. */
  async #readQueue(now: number): Promise<void> {
    const started = performance.now();
    if (started < this.#queueDueAt) return;
    const { rows } = await this.#db.system.query<{ id: string }>(
      `select id from cmo_jobs where state = 'queued' and waits_for = 0 order by priority desc, submitted_at, id limit $1`,
      [mostQueued],
    );
    const found = new Map(
      (
        await readPendingJobs(
          this.#db.system,
          rows.map(({ id }) => id),
        )
      ).map((row) => [row.id, queuedJobOf(row)]),
    );
    const shapes = new Set<string>();
    const front = rows.flatMap(({ id }) => {
      const row = found.get(id);
      if (row === undefined || (shapes.size >= mostShapes && !shapes.has(row.job.shape.key))) return [];
      shapes.add(row.job.shape.key);
      return [[id, row] as const];
    });
    const kept = new Set(front.map(([id]) => id));
    const gone = this.#queued.filter((id) => !kept.has(id)).map((id) => [id, null] as const);
    this.engine.apply({ now, jobs: [...gone, ...front] });
    this.#queued = [...kept];
    const ended = performance.now();
    this.#queueDueAt = ended + queuePause * (ended - started);
  }
}
