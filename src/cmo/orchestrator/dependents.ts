/** Decides about jobs that wait for others, whenever one of those started or ended; all of them after a start. */
import { type Database, withSystem } from '../../common/database/index.ts';
import { DirtyReader, type Wake } from '../../common/events/index.ts';
import { awaitedJobs, decideDependents } from '../jobs/index.ts';

const pageSize = 500;

export class Dependents {
  readonly #db: Database;
  readonly #wake: Wake;
  readonly #reader: DirtyReader;

  constructor(db: Database, wake: Wake) {
    this.#db = db;
    this.#wake = wake;
    this.#reader = new DirtyReader(db, ['dependency']);
  }

  /** @returns whether jobs failed, for whom others may wait: then there is more to do at once */
  async round(): Promise<boolean> {
    const batch = await this.#reader.read();
    let cascades = false;
    if (batch.kind === 'keys') {
      const ids = batch.keys.get('dependency') ?? [];
      for (let from = 0; from < ids.length; from += pageSize) {
        cascades = (await this.#decide(ids.slice(from, from + pageSize))) || cascades;
      }
    } else {
      for (let after: string | undefined = ''; after !== undefined; ) {
        const page = await awaitedJobs(this.#db.system, after, pageSize);
        if (page.length > 0) cascades = (await this.#decide(page)) || cascades;
        after = page.length === pageSize ? page.at(-1) : undefined;
      }
    }
    this.#reader.advance(batch.cursor);
    return cascades;
  }

  async #decide(ids: readonly string[]): Promise<boolean> {
    let anyFailed = false;
    for (let more = true; more; ) {
      const decided = await withSystem(this.#db, (tx) => decideDependents(tx, ids));
      more = decided.more;
      anyFailed ||= decided.failed.length > 0;
      if (decided.free.length > 0) this.#wake.wake('scheduler');
      if (decided.free.length + decided.failed.length > 0) this.#wake.wake('events');
    }
    return anyFailed;
  }
}
