/** The directories that a job may write to, made before its start and owned by the user it runs as. */
import { constants, cpSync, existsSync, lchownSync, lstatSync, mkdirSync, readdirSync, realpathSync } from 'node:fs';
import { join } from 'node:path';
import { FILES, type Launch } from '../supervisor/files.ts';

export interface JobDirectories {
  work: string;
  artifacts: string;
  metrics: string;
  /** Counted against the disk limit. */
  counted: string[];
}

/**
 * Makes work/ (a copy of the bundle; by reference where the file system can), artifacts/ and metrics/.
 * @param ownerUid who shall own them; null leaves the owner
 * @throws Error when the bundle cannot be copied or the checkpoint directory does not exist
 */
export function makeDirectories(dir: string, launch: Launch, ownerUid: number | null): JobDirectories {
  const work = join(dir, FILES.work);
  const artifacts = join(dir, FILES.artifacts);
  const metrics = join(dir, FILES.metrics);
  for (const path of [work, artifacts, metrics]) mkdirSync(path, { recursive: true, mode: 0o700 });
  if (launch.workdir !== null && realpathSync(launch.workdir) !== realpathSync(work)) {
    cpSync(launch.workdir, work, {
      recursive: true,
      mode: constants.COPYFILE_FICLONE,
      verbatimSymlinks: true,
      preserveTimestamps: true,
    });
  }
  const writable = [work, artifacts, metrics];
  if (launch.checkpoint !== null) {
    if (!existsSync(launch.checkpoint.dir))
      throw new Error(`checkpoint directory ${launch.checkpoint.dir} does not exist`);
    writable.push(launch.checkpoint.dir);
  }
  if (ownerUid !== null) {
    for (const path of writable) chownTree(path, ownerUid);
    // An earlier attempt on another node, or a download, may have left files that only root can read.
    const previous = launch.checkpoint?.previousDir ?? null;
    if (previous !== null) chownTree(previous, ownerUid);
  }
  return { work, artifacts, metrics, counted: writable };
}

/** Links are changed themselves, never followed; a file that refuses (a shared disk that squashes root) is left. */
function chownTree(path: string, uid: number): void {
  const stat = lstatSync(path, { throwIfNoEntry: false });
  if (stat === undefined) return;
  if (stat.uid !== uid) {
    try {
      lchownSync(path, uid, uid);
    } catch {
      return;
    }
  }
  if (stat.isDirectory()) for (const name of readdirSync(path)) chownTree(join(path, name), uid);
}
