/**
 * Notices at once that a supervisor has written its status, instead of at the next look.
 *
 * Only while a job starts: its folder is quiet then, and a person waits for it. Later every line of its log would be
 * a change in that folder. A system that cannot watch, or a change that is missed, costs the time to the next look.
 */
import { type FSWatcher, watch } from 'node:fs';
import { FILES } from './supervisor/index.ts';

export class StatusWatch {
  #watcher: FSWatcher | undefined;

  /** @param dir folder of the attempt's rank */
  constructor(dir: string, onStatus: () => void) {
    try {
      this.#watcher = watch(dir, { persistent: false }, (_event, name) => {
        if (name === FILES.status) onStatus();
      });
      this.#watcher.on('error', () => this.close());
    } catch {
      this.#watcher = undefined;
    }
  }

  close(): void {
    this.#watcher?.close();
    this.#watcher = undefined;
  }
}
