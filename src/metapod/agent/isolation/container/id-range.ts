/**
 * Which ids of the host stand for those of a container.
 *
 * An agent that is root gives containers 65536 ids that belong to nobody: root inside is no one outside. All containers
 * of a node share the range, because an image's files are shifted into it once, when it is unpacked; they see nothing of
 * each other anyway. It lies at the end of what systemd leaves free (0x70000000–0x7fffffff). An agent that is not root has
 * one id, its own, and so has the job.
 */
import { readFileSync } from 'node:fs';

export interface IdRange {
  /** Host's id of the container's id 0. */
  readonly first: number;
  /** How many, 2–65536. */
  readonly count: number;
}

const WANTED: IdRange = { first: 0x7fff0000, count: 65_536 };

/**
 * @param uidMap text of /proc/self/uid_map: inside a container only some ids exist
 * @returns null when there are not even two to give
 */
export function chooseRange(uidMap: string): IdRange | null {
  let largest: IdRange | null = null;
  for (const line of uidMap.split('\n')) {
    const [first, , count] = line.trim().split(/\s+/).map(Number);
    if (first === undefined || count === undefined || !Number.isInteger(first + count)) continue;
    if (WANTED.first >= first && WANTED.first + WANTED.count <= first + count) return WANTED;
    if (largest === null || count > largest.count) largest = { first, count };
  }
  if (largest === null || largest.count < 4) return null;
  // The upper half of what exists: the lower is where accounts live.
  const count = Math.min(WANTED.count, Math.floor(largest.count / 2));
  return { first: largest.first + largest.count - count, count };
}

/** Null when the agent is not root. @throws Error when it is and has no ids to give */
export function idRange(): IdRange | null {
  if (process.getuid?.() !== 0) return null;
  const range = chooseRange(readFileSync('/proc/self/uid_map', 'utf8'));
  if (range === null) throw new Error('no user ids besides root exist here');
  return range;
}

/** The host's id for an id inside; ids beyond the range are nobody's. */
export function hostId(range: IdRange, id: number): number {
  return range.first + (id >= 0 && id < range.count ? id : Math.min(65_534, range.count - 1));
}
