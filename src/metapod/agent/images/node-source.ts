/**
 * Images that lie on the node itself, in folders that its operator allows: root file systems and archives.
 *
 * Both are copied into the store before they are used, so that nothing that a job does reaches the operator's files and
 * so that ids can be shifted. What stands for the content is a fingerprint of names, sizes and times.
 */
import { createHash } from 'node:crypto';
import { createReadStream, lstatSync, readdirSync, realpathSync, statSync } from 'node:fs';
import { join } from 'node:path';
import { unpackBundle } from '../bundle.ts';
import { readLayout } from './layout.ts';
import { PullError } from './pull-error.ts';
import type { Fetched, Fetching, ImageSource } from './source.ts';

/**
 * @param allowed folders below which images may lie
 * @throws PullError `image_not_allowed`, `image_not_found`
 */
export function nodeSource(kind: 'rootfs' | 'node-archive', path: string, allowed: readonly string[]): ImageSource {
  const real = allowedPath(path, allowed);
  const stat = statSync(real);
  if (kind === 'rootfs') {
    if (!stat.isDirectory()) throw new PullError('image_invalid', `${path} is no folder`);
    return { key: `rootfs-${fingerprint(real)}`, isPublic: false, fetch: async () => ({ kind: 'folder', path: real }) };
  }
  if (!stat.isFile()) throw new PullError('image_invalid', `${path} is no file`);
  const hash = createHash('sha256').update(`${real}\0${stat.size}\0${stat.mtimeMs}\0${stat.ino}\0${stat.dev}`);
  return {
    key: `archive-${hash.digest('hex')}`,
    isPublic: false,
    fetch: (fetching) => unpackArchive(() => Promise.resolve(createReadStream(real)), fetching),
  };
}

/** Unpacks an archive of an image. @throws PullError `image_invalid`, `image_too_large` */
export async function unpackArchive(open: () => Promise<NodeJS.ReadableStream>, fetching: Fetching): Promise<Fetched> {
  const folder = join(fetching.folder, 'layout');
  fetching.say('reading the archive of the image');
  try {
    await unpackBundle((await open()) as never, folder, fetching.mostBytes);
  } catch (error) {
    if (error instanceof PullError || (error as NodeJS.ErrnoException).code !== undefined) throw error;
    const cause = (error as Error).cause as NodeJS.ErrnoException | undefined;
    if (cause?.code === 'ENOSPC') throw cause;
    throw new PullError('image_invalid', (error as Error).message.replace('the bundle', 'its archive'), {
      cause: error,
    });
  }
  return { kind: 'layers', ...readLayout(folder) };
}

/** @throws PullError unless the path, links followed, lies below an allowed folder */
function allowedPath(path: string, allowed: readonly string[]): string {
  const refusal = new PullError(
    'image_not_allowed',
    `the operator of this node does not allow images from ${path} (option --image-dir)`,
  );
  if (allowed.length === 0) throw refusal;
  let real: string;
  try {
    real = realpathSync(path);
  } catch {
    // Whether a forbidden path exists is nobody's business.
    if (allowed.some((folder) => path.startsWith(`${folder.replace(/\/+$/, '')}/`)))
      throw new PullError('image_not_found', `${path} does not exist on this node`);
    throw refusal;
  }
  for (const folder of allowed) {
    try {
      if (real.startsWith(`${realpathSync(folder).replace(/\/+$/, '')}/`)) return real;
    } catch {
      // An allowed folder that does not exist allows nothing.
    }
  }
  throw refusal;
}

/** Of names, kinds, modes, owners, sizes, times and link targets' times of a whole tree. */
function fingerprint(root: string): string {
  const hash = createHash('sha256').update(root);
  const open = [''];
  for (let below = open.pop(); below !== undefined; below = open.pop()) {
    for (const name of readdirSync(join(root, below)).sort()) {
      const path = join(below, name);
      const stat = lstatSync(join(root, path));
      hash.update(`${path}\0${stat.mode}\0${stat.uid}\0${stat.gid}\0${stat.isDirectory() ? 0 : stat.size}\0`);
      if (stat.isDirectory()) open.push(path);
      else hash.update(`${stat.mtimeMs}\0${stat.ctimeMs}\0`);
    }
  }
  return hash.digest('hex');
}
