/**
 * Copying out of a job. What comes is the job's, and hostile: nothing is written outside of the target, links that lead out of it and anything
 * that is no file stay behind, and the target appears when it is whole.
 */
import { createWriteStream } from 'node:fs';
import { chmod, mkdir, mkdtemp, readdir, rename, rm, stat } from 'node:fs/promises';
import { basename, dirname, join, posix, resolve } from 'node:path';
import { Readable, Transform } from 'node:stream';
import { pipeline } from 'node:stream/promises';
import { SolyxError } from '../../common/errors/index.ts';
import type { Copied } from '../commands/cp.ts';
import { umaskOfShell, withUmaskOfShell } from '../umask.ts';
import { askFiles, type PlaceInJob } from './request.ts';
import { unpackFolder } from './unpack.ts';

/** @throws path_not_found, copy_refused, channel_lost and what else the server answers */
export async function download(place: PlaceInJob, target: string): Promise<Copied> {
  const answer = await askFiles('GET', place);
  const body = Readable.from(answer.body!, { objectMode: false });
  const isFolder = answer.headers.get('x-solyx-entry') === 'folder';
  const mode = Number.parseInt(answer.headers.get('x-solyx-mode') ?? '644', 8) & 0o777;
  const to = await targetOf(place.path, target);
  const parent = dirname(to);
  if (!(await isDirectory(parent))) {
    body.destroy();
    throw new SolyxError('copy_refused', `There is no folder ${parent}.`);
  }
  const temporary = await mkdtemp(join(parent, '.solyx-copy-'));
  try {
    const data = join(temporary, 'data');
    let bytes = 0;
    const count = new Transform({
      transform(chunk: Buffer, _encoding, done) {
        bytes += chunk.length;
        done(null, chunk);
      },
    });
    const received = (sink: NodeJS.WritableStream) =>
      pipeline(body, count, sink).catch((error: NodeJS.ErrnoException) => {
        if (error.code === 'ECONNRESET' || error.code === 'ERR_STREAM_PREMATURE_CLOSE') {
          throw new SolyxError('channel_lost', 'The copy is not whole; nothing was kept of it.');
        }
        throw error;
      });
    if (!isFolder) {
      if (await isDirectory(to)) throw new SolyxError('copy_refused', `${to} is a folder.`);
      await received(createWriteStream(data, { mode: 0o600 }));
      await chmod(data, mode & ~umaskOfShell());
      await rename(data, to);
      return { path: to, files: 1, bytes, leftOut: [] };
    }
    // Nobody else gets into the folder around it meanwhile.
    const unpacked = await withUmaskOfShell(async () => {
      await mkdir(data);
      return unpackFolder(received, data);
    });
    await settle(data, to);
    return { path: to, ...unpacked };
  } finally {
    await rm(temporary, { recursive: true, force: true });
  }
}

/** Into a folder that exists a copy goes under its own name, as cp has it. */
async function targetOf(path: string, target: string): Promise<string> {
  const name = /(^|\/)\.\/*$/.test(path) ? '' : posix.basename(posix.resolve('/', path));
  const isInto = target.endsWith('/') || (await isDirectory(target));
  // A name is the job's only in so far as the person who copies wrote it.
  return isInto && name !== '' ? join(resolve(target), basename(name)) : resolve(target);
}

const isDirectory = async (path: string): Promise<boolean> =>
  stat(path).then(
    (found) => found.isDirectory(),
    () => false,
  );

/** Puts a folder in place: by one rename, or, where there is one already, file by file. */
async function settle(from: string, to: string): Promise<void> {
  if (!(await isDirectory(to))) return rename(from, to);
  for (const entry of await readdir(from, { withFileTypes: true })) {
    const [source, target] = [join(from, entry.name), join(to, entry.name)];
    if (entry.isDirectory()) await settle(source, target);
    else await rename(source, target);
  }
}
