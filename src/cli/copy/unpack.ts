/**
 * Unpacks the archive of a job's folder into a folder of this machine. The archive is hostile.
 *
 * The library unpacks files, folders and symbolic links that stay inside. Second names of files (hard links) are made by us
 * at the end, and only where neither name goes through a link: the library would follow one. Modes and times of folders come
 * last, since what is put into a folder changes them, and a folder here keeps its user's own rights: it must be possible
 * to put it in place, and to delete it. Nothing arrives set-uid, set-gid or sticky, whoever copies.
 */
import { chmod, link, lstat, realpath, utimes } from 'node:fs/promises';
import { dirname, join } from 'node:path';
import { Unpack } from 'tar';
import { isSafePath } from '../../common/blobs/index.ts';
import { linkStaysInside } from '../../common/links.ts';
import type { Copied } from '../commands/cp.ts';
import { umaskOfShell } from '../umask.ts';

const plain = new Set(['File', 'OldFile', 'ContiguousFile', 'Directory']);

interface HardLink {
  readonly path: string;
  readonly target: string;
}
interface Folder {
  readonly path: string;
  readonly mode: number | undefined;
  readonly changedAt: Date | undefined;
}

const bareOf = (path: string): string => path.replace(/^(\.\/)+/, '').replace(/\/+$/, '');

/**
 * @param received moves the bytes into a stream, and ends when all are there
 * @param folder empty, and nobody else's
 */
export async function unpackFolder(
  received: (sink: NodeJS.WritableStream) => Promise<void>,
  folder: string,
): Promise<Pick<Copied, 'files' | 'bytes' | 'leftOut'>> {
  const leftOut: string[] = [];
  const links: HardLink[] = [];
  const folders: Folder[] = [];
  let files = 0;
  let bytes = 0;
  const sink = new Unpack({
    cwd: folder,
    strict: false,
    preserveOwner: false,
    onwarn: (_code: string, message: string | Error) => void leftOut.push(String(message)),
    filter: (path, entry) => {
      if (!('type' in entry)) return true;
      const bare = bareOf(path);
      const isRoot = bare === '' || bare === '.';
      const why = isRoot ? undefined : refusal(bare, entry.type, entry.linkpath ?? '');
      if (why !== undefined) {
        leftOut.push(`${path} (${why})`);
        return false;
      }
      if (entry.type === 'Link') {
        links.push({ path: bare, target: bareOf(entry.linkpath ?? '') });
        return false;
      }
      if (entry.mode !== undefined) entry.mode &= 0o777;
      if (entry.type === 'Directory') {
        folders.push({ path: isRoot ? '' : bare, mode: entry.mode, changedAt: entry.mtime });
      } else {
        files += 1;
        bytes += entry.size ?? 0;
      }
      return true;
    },
  });
  await received(sink as unknown as NodeJS.WritableStream);
  const root = await realpath(folder);
  for (const hardLink of links) {
    const why = await makeLink(root, hardLink);
    if (why === undefined) files += 1;
    else leftOut.push(`./${hardLink.path} (${why})`);
  }
  // Inner ones first: finishing one must not change the one around it.
  for (const found of folders.reverse()) await finishFolder(root, found);
  return { files, bytes, leftOut };
}

function refusal(path: string, type: string, linkpath: string): string | undefined {
  if (!isSafePath(path)) return 'its name leaves the folder';
  if (plain.has(type)) return undefined;
  if (type === 'Link')
    return isSafePath(bareOf(linkpath)) ? undefined : 'a second name of a file outside of the folder';
  if (type !== 'SymbolicLink') return 'no plain file';
  return linkStaysInside(path, linkpath) ? undefined : 'a link that points out of the folder';
}

/** Gives a file a second name. @returns why not */
async function makeLink(root: string, { path, target }: HardLink): Promise<string | undefined> {
  const [from, to] = [join(root, target), join(root, path)];
  const found = await lstat(from).catch(() => undefined);
  if (!found?.isFile() || !(await isItself(dirname(from)))) return 'a second name of a file that is not in the copy';
  if (!(await isItself(dirname(to)))) return 'its folder is not in the copy';
  return link(from, to).then(
    () => undefined,
    (error: NodeJS.ErrnoException) => `a second name of ${target}, which cannot be made here: ${error.code}`,
  );
}

async function finishFolder(root: string, { path, mode, changedAt }: Folder): Promise<void> {
  const full = join(root, path);
  const found = await lstat(full).catch(() => undefined);
  if (!found?.isDirectory() || !(await isItself(full))) return;
  if (mode !== undefined) await chmod(full, (mode & ~umaskOfShell()) | 0o700);
  if (changedAt !== undefined) await utimes(full, changedAt, changedAt);
}

/** Whether no part of a path is a link. */
const isItself = async (path: string): Promise<boolean> =>
  realpath(path).then(
    (real) => real === path,
    () => false,
  );
