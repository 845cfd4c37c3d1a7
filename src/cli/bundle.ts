/**
 * Packs a working directory: one gzipped tar whose bytes depend only on the files, so that the same folder is uploaded
 * once. Links that lead out of the folder, sockets and devices are refused; `.git` and `node_modules` stay out. A file of
 * several names is several files.
 */
import { createHash } from 'node:crypto';
import { createReadStream, createWriteStream } from 'node:fs';
import { lstat, mkdtemp, readdir, readlink, rm } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { dirname, join, relative, resolve, sep } from 'node:path';
import { pipeline } from 'node:stream/promises';
import { SolyxError } from '../common/errors/index.ts';
import { packTar } from './pack.ts';

const leftOut = new Set(['.git', 'node_modules', '.DS_Store']);

export interface Bundle {
  /** SHA-256 of the file, hexadecimal. */
  readonly hash: string;
  readonly file: string;
  readonly sizeBytes: number;
  /** Deletes the temporary file. */
  dispose(): Promise<void>;
}

/**
 * Packs a folder into a temporary file.
 * @throws job_spec_invalid when it is no folder or holds what cannot be sent
 */
export async function packFolder(folder: string): Promise<Bundle> {
  const root = resolve(folder);
  const files = await listFiles(root);
  const temporary = await mkdtemp(join(tmpdir(), 'solyx-bundle-'));
  const file = join(temporary, 'bundle.tar.gz');
  const dispose = () => rm(temporary, { recursive: true, force: true });
  try {
    const options = { noMtime: true, gzip: { level: 6 }, noDirRecurse: true };
    // tar refuses an empty list
    const packed = packTar(root, files.length > 0 ? files : ['.'], options);
    await pipeline(packed, createWriteStream(file));
    const hash = createHash('sha256');
    await pipeline(createReadStream(file), hash);
    return { hash: hash.digest('hex'), file, sizeBytes: (await lstat(file)).size, dispose };
  } catch (error) {
    await dispose();
    throw error;
  }
}

async function listFiles(root: string): Promise<string[]> {
  const refuse = (message: string) => {
    throw new SolyxError('job_spec_invalid', { detail: message, issues: [{ at: '/workingDirectory', message }] });
  };
  const start = await lstat(root).catch(() => undefined);
  if (!start?.isDirectory()) refuse(`${root} is no folder.`);
  const found: string[] = [];
  const walk = async (folder: string): Promise<void> => {
    const entries = await readdir(folder, { withFileTypes: true });
    for (const entry of entries.sort((a, b) => (a.name < b.name ? -1 : 1))) {
      if (leftOut.has(entry.name)) continue;
      const path = join(folder, entry.name);
      if (entry.isSymbolicLink()) {
        const target = resolve(dirname(path), await readlink(path));
        if (target !== root && !target.startsWith(root + sep))
          refuse(`${relative(root, path)} is a link that leads out of the folder.`);
        found.push(relative(root, path));
      } else if (entry.isDirectory()) {
        found.push(relative(root, path));
        await walk(path);
      } else if (entry.isFile()) found.push(relative(root, path));
      else refuse(`${relative(root, path)} is neither file, folder nor link.`);
    }
  };
  await walk(root);
  return found;
}
