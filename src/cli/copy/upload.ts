/** Copying into a job. */
import { createReadStream, readlinkSync, type Stats } from 'node:fs';
import { realpath, stat } from 'node:fs/promises';
import { basename, join, resolve } from 'node:path';
import type { Readable } from 'node:stream';
import { SolyxError } from '../../common/errors/index.ts';
import { linkStaysInside } from '../../common/links.ts';
import type { Copied } from '../commands/cp.ts';
import { packTar } from '../pack.ts';
import { askFiles, type PlaceInJob } from './request.ts';

/** @throws path_not_found for a source that is not there, and what the server answers */
export async function upload(source: string, place: PlaceInJob): Promise<Copied> {
  const found = await stat(source).catch((error: NodeJS.ErrnoException) => {
    throw new SolyxError('copy_refused', { detail: `${source} cannot be read (${error.code}).`, cause: error });
  });
  // `folder/.` means what is in it, as cp has it.
  const contents = /(^|\/)\.\/*$/.test(source);
  const name = contents ? undefined : basename(resolve(source)) || undefined;
  if (!found.isDirectory() && !found.isFile())
    throw new SolyxError('copy_refused', `${source} is neither a file nor a folder.`);
  const leftOut: string[] = [];
  // Whoever names a link to a folder means the folder; tar would pack the link alone.
  const body = found.isDirectory()
    ? packFolder(await realpath(source), leftOut)
    : createReadStream(source, { highWaterMark: 2 ** 18 });
  const mode = (found.mode & 0o777).toString(8).padStart(3, '0');
  const entry = found.isDirectory() ? 'folder' : 'file';
  let unread: Error | undefined;
  body.once('error', (error: Error) => {
    unread = error;
  });
  const answer = await askFiles('PUT', place, { entry, name, ...(entry === 'file' && { mode }) }, body).catch(
    (error: unknown) => {
      // What broke off here is not the server's fault; a server that refused says so itself.
      if (unread === undefined || (error as SolyxError).code !== 'server_unreachable') throw error;
      throw new SolyxError('copy_refused', { detail: `${source} cannot be read: ${unread.message}.`, cause: unread });
    },
  );
  const { path, files, bytes } = (await answer.json()) as { path: string; files: number; bytes: number };
  return { path, files, bytes, leftOut };
}

/** Links that point out of the folder and special files stay behind, and are named. */
function packFolder(folder: string, leftOut: string[]): Readable {
  return packTar(folder, ['.'], {
    filter: (path, entry) => {
      const why = refusal(folder, path, entry);
      if (why !== undefined) leftOut.push(`${path} (${why})`);
      return why === undefined;
    },
  });
}

/** Why an entry of the folder cannot be sent; undefined when it can. */
function refusal(folder: string, path: string, entry: Stats): string | undefined {
  if (entry.isFile() || entry.isDirectory()) return undefined;
  if (!entry.isSymbolicLink()) return 'no plain file';
  const leadsTo = readlinkSync(join(folder, path));
  return linkStaysInside(path, leadsTo) ? undefined : 'a link that points out of the folder';
}
