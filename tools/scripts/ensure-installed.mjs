/**
 * Makes node_modules match package-lock.json, so that `npm start` and `npm test` work right after `git clone`.
 *
 * Runs before every start and test (and from bin/solyx.mjs in a bare clone), so "nothing to do" must cost next to
 * nothing: one hash of the lock file against a stamp that is written only after a complete install. Plain JavaScript
 * for any Node >= 18, because the Node 24 that Solyx needs is itself brought by this install.
 *
 * Two runs at once would delete each other's files halfway, so the install holds a lock directory that names the
 * processes at work; whoever finds it waits, and takes it over when both named processes are gone.
 */
import { spawn } from 'node:child_process';
import { createHash } from 'node:crypto';
import {
  existsSync,
  mkdirSync,
  readFileSync,
  realpathSync,
  renameSync,
  rmSync,
  statSync,
  utimesSync,
  writeFileSync,
} from 'node:fs';
import { dirname, join } from 'node:path';
import { fileURLToPath } from 'node:url';

const MINIMUM_NODE_MAJOR = 24;
const LOCK_HEARTBEAT_MS = 2_000;
/** A lock that nobody touched for so long is stale even if its process ids exist: they were given to others. */
const LOCK_STALE_MS = 60_000;

/** The repository that this file belongs to. */
export const repositoryRoot = join(dirname(fileURLToPath(import.meta.url)), '..', '..');

/** What the stamp must say for node_modules to count as installed: the lock file's hash and the platform. */
export function expectedStamp(root) {
  const hash = createHash('sha256')
    .update(readFileSync(join(root, 'package-lock.json')))
    .digest('hex');
  return `${hash} ${process.platform}-${process.arch}`;
}

/**
 * Says whether an install that npm itself made (its hidden lock file) is the one that package-lock.json asks for.
 * Spares a second install after `npm ci` by hand, and any install when the lock file changed but no package did.
 * Platform packages that fit this machine must be present.
 */
export function installedMatchesLock(lock, installed, platform = process.platform, arch = process.arch) {
  for (const [path, entry] of Object.entries(lock.packages)) {
    if (path === '' || installed.packages[path]?.version === entry.version) continue;
    if (installed.packages[path] !== undefined) return false;
    if (!entry.optional) return false;
    const fits = (entry.os ?? [platform]).includes(platform) && (entry.cpu ?? [arch]).includes(arch);
    if (fits && entry.os && !entry.libc) return false;
  }
  return Object.keys(installed.packages).every((path) => lock.packages[path] !== undefined);
}

function isInstalled(root) {
  const modules = join(root, 'node_modules');
  const stamp = join(modules, '.solyx-installed');
  const expected = expectedStamp(root);
  if (existsSync(stamp) && readFileSync(stamp, 'utf8').trim() === expected) return true;
  const hidden = join(modules, '.package-lock.json');
  if (!existsSync(hidden)) return false;
  const read = (file) => JSON.parse(readFileSync(file, 'utf8'));
  if (!installedMatchesLock(read(join(root, 'package-lock.json')), read(hidden))) return false;
  writeFileSync(stamp, `${expected}\n`);
  return true;
}

function isAlive(pid) {
  try {
    process.kill(pid, 0);
    return true;
  } catch (error) {
    return error.code === 'EPERM';
  }
}

/** What a lock says about itself, or undefined when it has been released. */
function readLock(lockDir) {
  const pidIn = (name) => {
    const file = join(lockDir, name);
    return existsSync(file) ? Number(readFileSync(file, 'utf8')) : undefined;
  };
  try {
    const { mtimeMs } = statSync(lockDir);
    return { owner: pidIn('pid'), npm: pidIn('npm-pid'), beat: mtimeMs };
  } catch (error) {
    if (error.code === 'ENOENT') return undefined;
    throw error;
  }
}

const isAbandoned = (lock) => ![lock.owner, lock.npm].some((pid) => pid !== undefined && isAlive(pid));

/** Takes the lock by renaming a filled directory onto its name, so that the lock never exists without its pid. */
function tryLock(lockDir) {
  const mine = `${lockDir}.${process.pid}`;
  mkdirSync(mine, { recursive: true });
  writeFileSync(join(mine, 'pid'), String(process.pid));
  try {
    renameSync(mine, lockDir);
    return true;
  } catch (error) {
    rmSync(mine, { recursive: true, force: true });
    if (error.code === 'ENOTEMPTY' || error.code === 'EEXIST') return false;
    throw error;
  }
}

/** Moves an abandoned lock aside. Of several that try, one wins; who moved a newer lock by mistake gives it back. */
function breakLock(lockDir, abandoned) {
  const aside = `${lockDir}.stale.${process.pid}`;
  try {
    renameSync(lockDir, aside);
  } catch (error) {
    if (error.code === 'ENOENT') return;
    throw error;
  }
  if (readLock(aside)?.owner !== abandoned.owner) {
    try {
      renameSync(aside, lockDir);
      return;
    } catch (error) {
      if (error.code !== 'ENOTEMPTY' && error.code !== 'EEXIST') throw error;
    }
  }
  rmSync(aside, { recursive: true, force: true });
}

const pause = (milliseconds) => new Promise((resolve) => setTimeout(resolve, milliseconds));

function runNpm(root, lockDir) {
  const args = [
    'ci',
    '--ignore-scripts',
    '--no-audit',
    '--no-fund',
    '--loglevel=error',
    '--include=dev',
    '--include=optional',
  ];
  const npm = process.env.npm_execpath;
  const isScript = npm !== undefined && /\.[cm]?js$/.test(npm) && existsSync(npm);
  const [command, rest] = isScript ? [process.execPath, [npm, ...args]] : ['npm', args];
  return new Promise((resolve, reject) => {
    // npm's report goes to standard error: standard output belongs to the command that was asked for.
    const child = spawn(command, rest, { cwd: root, stdio: ['ignore', 2, 2], shell: process.platform === 'win32' });
    if (child.pid !== undefined) writeFileSync(join(lockDir, 'npm-pid'), String(child.pid));
    child.once('error', reject);
    child.once('exit', (code, signal) => resolve(code ?? `signal ${signal}`));
  });
}

async function installUnderLock(root, lockDir) {
  const heartbeat = setInterval(() => {
    const now = new Date();
    if (existsSync(lockDir)) utimesSync(lockDir, now, now);
  }, LOCK_HEARTBEAT_MS);
  try {
    if (isInstalled(root)) return;
    rmSync(join(root, 'node_modules', '.solyx-installed'), { force: true });
    console.error('solyx: installing what package-lock.json lists (npm ci), about a minute the first time …');
    const result = await runNpm(root, lockDir);
    if (result !== 0) {
      throw new Error(`npm ci failed (${result}). Check the network and npm's messages above, then try again.`);
    }
    writeFileSync(join(root, 'node_modules', '.solyx-installed'), `${expectedStamp(root)}\n`);
  } finally {
    clearInterval(heartbeat);
    const aside = `${lockDir}.done.${process.pid}`; // removed under another name: never seen half removed
    renameSync(lockDir, aside);
    rmSync(aside, { recursive: true, force: true });
  }
}

/** Installs if and only if node_modules does not match the lock file. */
export async function ensureInstalled(root = repositoryRoot) {
  if (isInstalled(root)) return;
  mkdirSync(join(root, '.cache'), { recursive: true });
  const lockDir = join(root, '.cache', 'install.lock');
  let announced = false;
  let beat;
  let beatSeenAt = 0;
  while (!isInstalled(root)) {
    if (tryLock(lockDir)) {
      await installUnderLock(root, lockDir);
      return;
    }
    const lock = readLock(lockDir);
    if (lock === undefined) continue;
    // Counted by our own waiting, since a machine that slept or had its clock set would make any lock look old.
    if (lock.beat !== beat) {
      beat = lock.beat;
      beatSeenAt = performance.now();
    }
    if (isAbandoned(lock) || performance.now() - beatSeenAt > LOCK_STALE_MS) {
      breakLock(lockDir, lock);
      continue;
    }
    if (!announced) console.error('solyx: another process is installing; waiting for it …');
    announced = true;
    await pause(200);
  }
}

/** The Node that the lock file brought, or undefined where there is none for this platform. */
export function bundledNode(root = repositoryRoot) {
  const file = join(root, 'node_modules', '.bin', 'node');
  return existsSync(file) ? file : undefined;
}

/** Throws with the cure when neither the lock file nor the machine has a Node that is new enough. */
export function requireNode(root = repositoryRoot) {
  if (bundledNode(root) !== undefined) return;
  if (Number(process.versions.node.split('.')[0]) >= MINIMUM_NODE_MAJOR) return;
  throw new Error(
    `Solyx needs Node ${MINIMUM_NODE_MAJOR} or newer. This is ${process.version}, and for ` +
      `${process.platform}-${process.arch} the lock file brings none. Install Node ${MINIMUM_NODE_MAJOR}, then try again.`,
  );
}

function isEntryPoint() {
  const started = process.argv[1];
  return started !== undefined && realpathSync(started) === fileURLToPath(import.meta.url);
}

if (isEntryPoint()) {
  try {
    await ensureInstalled();
    requireNode();
  } catch (error) {
    console.error(`solyx: ${error.message}`);
    process.exit(1);
  }
}
