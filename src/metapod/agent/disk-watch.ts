/**
 * Notices soon that a disk filled up or was freed. To look at the whole machine asks every vendor's tools and adds up the attempts'
 * folders, which is for once a minute; a node that said it was full must not stay without work for that long, nor one that
 * is full go on being given some.
 */
import type { Outside } from './discovery/index.ts';

/** Less than this is what every running job moves, bytes. */
const leastBytes = 2 ** 20;
/** Part of the free space that makes it worth a look at everything. */
const leastPart = 0.05;

export class DiskWatch {
  readonly #outside: Pick<Outside, 'freeBytes'>;
  readonly #folder: string;
  #known: number | null = null;

  /** @param folder lies on the disk that is watched */
  constructor(outside: Pick<Outside, 'freeBytes'>, folder: string) {
    this.#outside = outside;
    this.#folder = folder;
  }

  /** Whether free space differs by more than a twentieth from what it was when this was last true; the first look is never. */
  async hasMoved(): Promise<boolean> {
    const free = await this.#outside.freeBytes(this.#folder);
    const known = this.#known;
    if (free === null) return false;
    this.#known ??= free;
    if (known === null || Math.abs(free - known) <= Math.max(leastBytes, leastPart * Math.max(free, known)))
      return false;
    this.#known = free;
    return true;
  }
}
