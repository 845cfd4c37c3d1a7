/** Symbolic links in folders that are copied: only those that stay in the folder go along. */
import { posix } from 'node:path';

/**
 * Whether a link leads to something in the same folder.
 * @param path of the link, relative to the folder
 * @param target as the link says it
 */
export function linkStaysInside(path: string, target: string): boolean {
  if (target === '' || target.startsWith('/') || target.includes('\0')) return false;
  const resolved = posix.normalize(posix.join(posix.dirname(path), target));
  return resolved !== '..' && !resolved.startsWith('../');
}
