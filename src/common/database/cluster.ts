/**
 * The data directory of the embedded PostgreSQL and the place of its socket.
 *
 * initdb writes a thousand files in a second; killed in between it leaves something that neither starts nor can be
 * initialised again. So it writes to a name of its own, and the finished directory is renamed into place.
 */
import { execFile } from 'node:child_process';
import { createHash } from 'node:crypto';
import { chmod, lstat, mkdir, open, readdir, readFile, realpath, rename, rm } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { SolyxError } from '../errors/index.ts';
import { type Engine, engineCommand, engineFailure } from './engine.ts';

/** The bootstrap superuser; only the launcher connects with it, to make logins and databases. */
export const superuser = 'postgres';
/** With unix sockets the port is only part of a file name. */
export const socketPort = 5432;

const longestSocketPath = 107;
const unfinishedPrefix = '.postgres-new-';

/**
 * Makes the data directory `home/postgres` unless it exists, and returns its real path. Call it under the home lock.
 *
 * @throws SolyxError `database_start_failed`, `disk_full`, or `database_version_unsupported` when it belongs to another major version
 */
export async function prepareCluster(home: string, engine: Engine): Promise<string> {
  const directory = join(home, 'postgres');
  await removeUnfinished(home);
  const version = await readFile(join(directory, 'PG_VERSION'), 'utf8').catch(() => undefined);
  if (version === undefined) await createCluster(home, directory, engine);
  else if (version.trim() !== engine.version.split('.')[0]) {
    throw new SolyxError('database_version_unsupported', {
      detail: `${directory} was made by PostgreSQL ${version.trim()}, the engine is ${engine.version}.`,
    });
  }
  return realpath(directory);
}

async function createCluster(home: string, directory: string, engine: Engine): Promise<void> {
  const unfinished = join(home, `${unfinishedPrefix}${process.pid}-${Date.now()}`);
  const { file, args, env } = engineCommand(engine, 'initdb', [
    ...['-D', unfinished, '-U', superuser, '-A', 'trust', '-E', 'UTF8'],
    ...['--locale-provider=builtin', '--builtin-locale=C.UTF-8', '--no-instructions'],
  ]);
  const output = await new Promise<string | undefined>((resolve) => {
    execFile(file, args, { env, cwd: home }, (error, _stdout, stderr) => {
      resolve(error ? stderr || error.message : undefined);
    });
  });
  if (output !== undefined) {
    await rm(unfinished, { recursive: true, force: true, maxRetries: 3 });
    throw engineFailure('initdb failed', output);
  }
  await rename(unfinished, directory);
  const parent = await open(home, 'r');
  try {
    await parent.sync();
  } finally {
    await parent.close();
  }
}

/** An initdb whose Node was killed may still be writing for a second: what cannot be deleted now is deleted next time. */
async function removeUnfinished(home: string): Promise<void> {
  for (const name of await readdir(home)) {
    if (name.startsWith(unfinishedPrefix)) await rm(join(home, name), { recursive: true, force: true }).catch(() => {});
  }
}

/**
 * The directory for the socket, mode 0700 and ours: `home/run`, or one with a hashed name below the temporary directory when
 * the path of the socket would exceed what a unix socket address holds (107 bytes).
 *
 * @throws SolyxError `database_start_failed` when somebody else made that directory first
 */
export async function prepareSocketDirectory(home: string): Promise<string> {
  const near = join(home, 'run');
  const short = join(
    tmpdir(),
    `solyx-${process.getuid?.() ?? 0}-${createHash('sha256').update(home).digest('hex').slice(0, 16)}`,
  );
  const directory = Buffer.byteLength(join(near, `.s.PGSQL.${socketPort}.lock`)) <= longestSocketPath ? near : short;
  await mkdir(directory, { mode: 0o700 }).catch((error: NodeJS.ErrnoException) => {
    if (error.code !== 'EEXIST') throw error;
  });
  const status = await lstat(directory);
  if (!status.isDirectory() || (process.getuid && status.uid !== process.getuid())) {
    throw new SolyxError('database_start_failed', {
      detail: `${directory} is not a directory of this user, so the database socket cannot be put there; remove it.`,
    });
  }
  await chmod(directory, 0o700);
  return directory;
}
