/**
 * Keeps what the worker believes to be running current.
 *
 * What this scheduler itself placed the worker knows already: of those only the state is read, which is one look by key. Rows with their
 * allocations are read for what other schedulers placed and after a start. Stops and checkpoints write no key, so once a minute a mark of
 * everything active is compared, which also finds what a lost key would have told.
 */
import type { Database } from '../../common/database/index.ts';
import { readActive, readRunning, readStates } from './running-rows.ts';
import type { RoundWorker } from './worker/round-worker.ts';

const refreshEveryMs = 60_000;
const pageSize = 500;
/** The mark of what this scheduler placed and nobody has looked at since. */
const own = '';

export class RunningFeed {
  readonly #db: Database;
  /** What the worker believes to be running, with the mark that it was read with. */
  readonly #marks = new Map<string, string>();
  #refreshedAt = Number.NEGATIVE_INFINITY;

  constructor(db: Database) {
    this.#db = db;
  }

  /** Everything is read again at the next `refresh`: for a worker that knows nothing. */
  reset(): void {
    this.#marks.clear();
    this.#refreshedAt = Number.NEGATIVE_INFINITY;
  }

  /** These were committed as the worker planned them. */
  placed(ids: readonly string[]): void {
    for (const id of ids) this.#marks.set(id, own);
  }

  /** Keys of these jobs came. @param queued those of them that are queued  @param now epoch milliseconds */
  async changed(
    worker: Pick<RoundWorker, 'apply'>,
    ids: readonly string[],
    queued: ReadonlySet<string>,
    now: number,
  ): Promise<void> {
    const others = ids.filter((id) => !queued.has(id));
    const states = await readStates(this.#db.system, others);
    const ended = ids.filter((id) => this.#marks.has(id) && states.get(id) !== 'active');
    for (const id of ended) this.#marks.delete(id);
    worker.apply({ now, running: ended.map((id) => [id, null, states.get(id) === 'finished'] as const) });
    await this.#read(
      worker,
      others.filter((id) => states.get(id) === 'active' && this.#marks.get(id) !== own),
      now,
    );
  }

  /** Compares everything that is active, when it is time. @param monotonicMs of the clock that never goes back */
  async refresh(worker: Pick<RoundWorker, 'apply'>, now: number, monotonicMs: number): Promise<void> {
    if (monotonicMs - this.#refreshedAt < refreshEveryMs) return;
    this.#refreshedAt = monotonicMs;
    const active = await readActive(this.#db.system);
    const gone = [...this.#marks.keys()].filter((id) => !active.has(id));
    for (const id of gone) this.#marks.delete(id);
    worker.apply({ now, running: gone.map((id) => [id, null] as const) });
    const differing: string[] = [];
    for (const [id, mark] of active) {
      // A token alone is what a placement has at its beginning.
      if (this.#marks.get(id) === own && !mark.includes(' ')) this.#marks.set(id, mark);
      else if (this.#marks.get(id) !== mark) differing.push(id);
    }
    await this.#read(worker, differing, now, active);
  }

  async #read(
    worker: Pick<RoundWorker, 'apply'>,
    ids: readonly string[],
    now: number,
    marks: ReadonlyMap<string, string> = new Map(),
  ): Promise<void> {
    for (let from = 0; from < ids.length; from += pageSize) {
      const rows = await readRunning(this.#db.system, ids.slice(from, from + pageSize));
      for (const { id } of rows) this.#marks.set(id, marks.get(id) ?? 'read');
      worker.apply({ now, running: rows.map((row) => [row.id, row] as const) });
    }
  }
}
