/**
 * What of the host a container gets to see, bound below one folder of the launcher's own mount namespace.
 *
 * The agent's data directory is private, and the ids of a container belong to nobody who may enter it. So an agent that
 * is root binds each piece, before it gives up being root, to a place that anybody may enter and nobody else sees.
 */
import { chmodSync, existsSync, mkdirSync, readFileSync, writeFileSync } from 'node:fs';
import { join } from 'node:path';
import type { Launch } from '../../supervisor/files.ts';
import type { JobDirectories } from '../directories.ts';
import { bindLines, readMounts } from '../mounts.ts';

/** Folders that every Linux has and that nothing of ours lies in, unless the data directory does. */
const CANDIDATES = ['/run', '/mnt', '/media', '/srv', '/opt', '/var'];

/** A folder that can be hidden without hiding what is needed. @throws Error when there is none */
export function chooseStage(needed: readonly string[]): string {
  const found = CANDIDATES.find(
    (folder) => existsSync(folder) && !needed.some((path) => path === folder || path.startsWith(`${folder}/`)),
  );
  if (found === undefined) throw new Error(`none of ${CANDIDATES.join(', ')} is free to stage a container in`);
  return found;
}

/** Folders of the stage that are memory: the runtime's state and description of the container, and secrets. */
const OWN_FOLDERS = ['state', 'bundle', 'secrets'];

export interface Staged {
  /** Folders to make below the stage. */
  readonly folders: readonly string[];
  /** Lines for `mount --all`. */
  readonly lines: readonly string[];
}

/**
 * @param paths.etc folder made by `writeEtc`
 * @param rootfs the image's root file system
 */
export function stageLines(
  stage: string,
  launch: Launch,
  paths: { etc: string; rootfs: string; directories: JobDirectories },
): Staged {
  const { etc, rootfs, directories } = paths;
  const mounts = readMounts();
  const plan: [name: string, source: string, options: string][] = [
    ['etc', etc, 'ro,nosuid,nodev'],
    // Root inside owns it and makes what is missing of mount points; the container itself has it read-only.
    ['rootfs', rootfs, 'nosuid,nodev'],
    ['work', directories.work, 'nosuid,nodev'],
    ['artifacts', directories.artifacts, 'nosuid,nodev'],
    ['metrics', directories.metrics, 'nosuid,nodev'],
  ];
  if (launch.checkpoint !== null) {
    plan.push(['checkpoint', launch.checkpoint.dir, 'nosuid,nodev']);
    if (launch.checkpoint.previousDir !== null)
      plan.push(['previous', launch.checkpoint.previousDir, 'ro,nosuid,nodev']);
  }
  return {
    folders: [...OWN_FOLDERS, ...plan.map(([name]) => name)],
    lines: plan.flatMap(([name, source, options]) => bindLines(source, join(stage, name), options, mounts)),
  };
}

/** Makes the few files of /etc that are ours rather than the image's. Readable to the ids of the container. */
export function writeEtc(etc: string, launch: Launch): void {
  const host = (path: string) => {
    try {
      return readFileSync(path, 'utf8');
    } catch {
      return '';
    }
  };
  const shared = launch.network === 'host';
  const names = '127.0.0.1 localhost job\n::1 localhost ip6-localhost\n';
  mkdirSync(etc, { recursive: true });
  // Whatever the umask of whoever prepares this.
  chmodSync(etc, 0o755);
  for (const [name, text] of [
    ['hosts', shared ? `${names}${host('/etc/hosts')}` : names],
    ['resolv.conf', shared ? host('/etc/resolv.conf') : ''],
  ] as const) {
    writeFileSync(join(etc, name), text);
    chmodSync(join(etc, name), 0o644);
  }
}
