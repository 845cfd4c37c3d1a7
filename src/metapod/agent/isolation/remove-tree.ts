/**
 * Deletes a directory tree of a job, and nothing else.
 *
 * Mounts live in namespaces of their own and end with them, but a tree with a mount in it must never be deleted
 * through: that would empty the host's /usr. So mounts below are detached first and, if one stays, nothing is
 * deleted. Directories that the job made unreadable are opened again.
 */
import { spawnSync } from 'node:child_process';
import { chmodSync, lstatSync, readdirSync, realpathSync, rmSync } from 'node:fs';
import { join } from 'node:path';
import { TRUSTED_ENVIRONMENT } from './environment.ts';
import { mountsBelow, readMounts } from './mounts.ts';

/** @throws Error when a mount below cannot be detached or a file cannot be deleted */
export function removeTree(path: string): void {
  if (lstatSync(path, { throwIfNoEntry: false }) === undefined) return;
  const real = realpathSync(path);
  for (const mount of mountsBelow(real, readMounts()).reverse()) {
    spawnSync('umount', ['-l', mount], { env: TRUSTED_ENVIRONMENT, stdio: 'ignore' });
  }
  const left = mountsBelow(real, readMounts())[0];
  if (left !== undefined) throw new Error(`${left} is still mounted; nothing was deleted below ${path}`);
  try {
    rmSync(path, { recursive: true, force: true });
  } catch {
    openDirectories(path);
    rmSync(path, { recursive: true, force: true });
  }
}

function openDirectories(path: string): void {
  if (!lstatSync(path).isDirectory()) return;
  chmodSync(path, 0o700);
  for (const name of readdirSync(path)) openDirectories(join(path, name));
}
