/**
 * The rolling comparison of what the worker holds with the rows: a safety net under the dirty keys.
 *
 * Each turn takes the next page of revisions of one kind and looks, both ways, for what differs. A row that changed since its key was read
 * looks like a difference, so suspects wait for the next read of keys: those whose key came are fine, the others were missed by the
 * feed, are counted, and are read again.
 */
import { type Database, withSystem } from '../../common/database/index.ts';
import { readExisting, readRevisions } from './queries.ts';
import type { ComparedKind } from './worker/messages.ts';
import type { RoundWorker } from './worker/round-worker.ts';

const kinds: readonly ComparedKind[] = ['site', 'node', 'job'];
const pageSize = 500;

export class Resync {
  readonly #db: Database;
  readonly #after = new Map<ComparedKind, string>();
  #suspects = new Map<ComparedKind, Set<string>>();

  constructor(db: Database) {
    this.#db = db;
  }

  /** Forgets suspects, when everything is read again anyway. */
  clear(): void {
    this.#suspects.clear();
  }

  /** Looks at the next page of each kind. */
  async turn(worker: RoundWorker): Promise<void> {
    for (const kind of kinds) {
      const after = this.#after.get(kind) ?? '';
      const rows = await withSystem(this.#db, (tx) => readRevisions(tx, kind, after, pageSize), { readOnly: true });
      this.#after.set(kind, rows.length < pageSize ? '' : rows.at(-1)![0]);
      const { differing, held } = await worker.compare(kind, rows, pageSize);
      const existing = await withSystem(this.#db, (tx) => readExisting(tx, kind, held), { readOnly: true });
      this.#suspects.set(kind, new Set([...differing, ...held.filter((id) => !existing.has(id))]));
    }
  }

  /** The suspects whose key is not among those just read: what the feed missed. Each is returned once. */
  missed(keys: ReadonlyMap<string, readonly string[]>): Map<ComparedKind, string[]> {
    const result = new Map<ComparedKind, string[]>();
    for (const [kind, suspects] of this.#suspects) {
      for (const key of keys.get(kind) ?? []) suspects.delete(key);
      if (suspects.size > 0) result.set(kind, [...suspects]);
    }
    this.#suspects = new Map();
    return result;
  }
}
