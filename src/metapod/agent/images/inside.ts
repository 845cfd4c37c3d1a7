/**
 * Paths inside a root file system that strangers made.
 *
 * A link in an image may point anywhere: `/etc` of the host, or up and out. The kernel would follow it from the host's
 * root, with the agent's rights. So each part of a path is looked at by itself and links are resolved as if the folder
 * were `/`, which is what a process inside would see. Nothing else changes the folder meanwhile: it is private and unfinished,
 * or read-only.
 */
import { lstatSync, readlinkSync } from 'node:fs';
import { join, posix } from 'node:path';

const mostLinks = 40;

/**
 * The place on the host that a path inside means.
 *
 * @param root the folder that is `/` inside; itself no link
 * @param path absolute or relative to `/`
 * @param followLast whether a link at the very end is followed too
 * @returns a path below `root` (or `root`) whose parents are real folders as far as they exist
 * @throws Error when links go round in circles
 */
export function resolveInside(root: string, path: string, followLast: boolean): string {
  const open = path.split('/').reverse();
  const done: string[] = [];
  let links = 0;
  while (open.length > 0) {
    const part = open.pop()!;
    if (part === '' || part === '.') continue;
    if (part === '..') {
      done.pop();
      continue;
    }
    const here = join(root, ...done, part);
    const isLast = open.every((rest) => rest === '' || rest === '.');
    if ((isLast && !followLast) || !lstatSync(here, { throwIfNoEntry: false })?.isSymbolicLink()) {
      done.push(part);
      continue;
    }
    links += 1;
    if (links > mostLinks) throw new Error(`too many links in "${path}"`);
    const target = readlinkSync(here);
    if (posix.isAbsolute(target)) done.length = 0;
    open.push(...target.split('/').reverse());
  }
  return join(root, ...done);
}
