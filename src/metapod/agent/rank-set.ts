/**
 * All ranks that this node has on disk, by attempt and rank.
 *
 * It is filled from the attempts folder when the agent opens and by commands; a rank leaves it when its folder is
 * deleted. An intent that the disk damaged is never guessed at: what runs of it is ended and its folder stays.
 */
import { rmSync } from 'node:fs';
import type { Logger } from '../../common/logger.ts';
import { createFolder, folderName, listFolders, type RankStart, readStart } from './attempt-folder.ts';
import { Rank, type RankDependencies } from './rank.ts';
import { killAttempt } from './supervisor/index.ts';

export class RankSet {
  readonly #folder: string;
  readonly #deps: RankDependencies;
  readonly #logger: Logger;
  readonly #ranks = new Map<string, Rank>();

  /** @param folder the attempts folder; what is in it is taken up */
  constructor(folder: string, deps: RankDependencies) {
    this.#folder = folder;
    this.#deps = deps;
    this.#logger = deps.logger;
    for (const dir of listFolders(folder)) this.#adopt(dir);
  }

  get all(): Rank[] {
    return [...this.#ranks.values()];
  }

  /** Those of which something runs or may run. */
  get unended(): Rank[] {
    return this.all.filter((rank) => !rank.hasEnded);
  }

  find(attemptId: string, rank: number): Rank | undefined {
    const known = this.#ranks.get(folderName(attemptId, rank));
    return known?.isGone ? undefined : known;
  }

  /** Writes an intent down and takes it up. @throws Error when the disk is full; then nothing of it counts */
  create(start: RankStart): Rank | undefined {
    return this.#adopt(createFolder(this.#folder, start));
  }

  /** Lets every rank do what is due, and lets go of those that are deleted. */
  step(): void {
    for (const [name, rank] of this.#ranks) {
      if (rank.isGone) this.#ranks.delete(name);
      else rank.step();
    }
  }

  /** Resolves when no step is under way. */
  async settled(): Promise<void> {
    await Promise.all(this.all.map((rank) => rank.settled()));
  }

  #adopt(dir: string): Rank | undefined {
    const start = readStart(dir);
    if (start === 'absent') {
      rmSync(dir, { recursive: true, force: true });
      return undefined;
    }
    if (start === 'damaged') {
      // The hello cannot name it, so the control plane takes it for ended: it must have.
      this.#logger.error({ dir }, 'the intent of an attempt is damaged; what runs of it is ended, its folder stays');
      killAttempt(dir).catch((error) => this.#logger.error({ err: error, dir }, 'it could not be ended'));
      return undefined;
    }
    const rank = new Rank(dir, start, this.#deps);
    this.#ranks.set(folderName(start.attemptId, start.rank), rank);
    return rank;
  }
}
