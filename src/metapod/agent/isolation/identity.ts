/**
 * Under which user a sandboxed job runs, seen from the host.
 *
 * An agent that is not root can only be itself; inside the sandbox that is user 1000 without capabilities. An
 * agent that is root must not lend its own uid: uid 0, even without capabilities, owns /proc/sys and half of
 * the host's files. It takes a uid of the job's own, from a range that systemd leaves free (0x70000000…), so
 * that two jobs share nothing. The number follows from the job's id, on every node alike: a later attempt can
 * read the checkpoint of an earlier one on a shared disk.
 */
import { readFileSync } from 'node:fs';

export const INSIDE_UID = 1000;

const FIRST_UID = 0x70000000;
const UID_BITS = 0x0fffffff;

/** FNV-1a, 32 bits. */
function hash(text: string): number {
  let value = 0x811c9dc5;
  for (let index = 0; index < text.length; index++) {
    value ^= text.charCodeAt(index);
    value = Math.imul(value, 0x01000193) >>> 0;
  }
  return value;
}

/**
 * Uid (and gid) of a job on a host where the agent is root.
 * @param uidMap text of /proc/self/uid_map: inside a container only some uids exist
 */
export function jobUid(jobId: string, uidMap: string): number {
  const wanted = FIRST_UID + (hash(jobId) & UID_BITS);
  let best: { first: number; count: number } | null = null;
  for (const line of uidMap.split('\n')) {
    const [first, , count] = line.trim().split(/\s+/).map(Number);
    if (first === undefined || count === undefined) continue;
    if (wanted >= first && wanted < first + count) return wanted;
    if (best === null || count > best.count) best = { first, count };
  }
  if (best === null || best.count < 2) throw new Error('no user id besides root exists here');
  // The upper half of what exists: the lower is where accounts live.
  const half = Math.floor(best.count / 2);
  return best.first + half + (hash(jobId) % (best.count - half));
}

/** Null when the agent is no root and the job keeps its uid. */
export function hostUid(jobId: string): number | null {
  return process.getuid?.() === 0 ? jobUid(jobId, readFileSync('/proc/self/uid_map', 'utf8')) : null;
}
