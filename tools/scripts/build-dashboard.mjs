/**
 * Builds the dashboard when its sources changed, so that `npm start` and the tests always serve what is in the tree.
 *
 * Every build lies in a folder of its own, dashboard/dist/<hash of the sources>, and gets that name only when it is whole;
 * `dashboard/dist/current` names the newest. So two builds at once, or one that is killed, harm nobody, and a server keeps
 * the build that it started with. "Nothing to do" costs one hash over the sources, some milliseconds. The build itself
 * runs in a process of its own, because a server must not keep the bundler's memory.
 *
 *   node tools/scripts/build-dashboard.mjs [--force]
 */
import { spawn } from 'node:child_process';
import { createHash, randomUUID } from 'node:crypto';
import {
  existsSync,
  mkdirSync,
  readdirSync,
  readFileSync,
  realpathSync,
  renameSync,
  rmSync,
  statSync,
  writeFileSync,
} from 'node:fs';
import { readFile, writeFile } from 'node:fs/promises';
import { extname, join } from 'node:path';
import { fileURLToPath } from 'node:url';
import { promisify } from 'node:util';
import { brotliCompress, constants, gzip } from 'node:zlib';

const repositoryRoot = fileURLToPath(new URL('../..', import.meta.url));

/** Builds so young, or among the newest so many, stay: servers may be serving them. */
const KEEP_MS = 3_600_000;
const KEEP_COUNT = 3;
const COMPRESSIBLE = new Set(['.js', '.css', '.svg', '.json', '.html']);
const COMPRESS_FROM_BYTES = 512;

/** Hash of everything that a build depends on: the sources, this file, the versions of the packages. */
export function fingerprint(root = repositoryRoot) {
  const hash = createHash('sha256');
  const add = (file) =>
    hash
      .update(`${file}\0`)
      .update(readFileSync(join(root, file)))
      .update('\0');
  for (const file of ['package-lock.json', 'tools/scripts/build-dashboard.mjs']) add(file);
  for (const file of ['dashboard/index.html', 'dashboard/vite.config.ts']) add(file);
  const sources = readdirSync(join(root, 'dashboard', 'src'), { recursive: true, withFileTypes: true })
    .filter((entry) => entry.isFile())
    .map((entry) => join(entry.parentPath, entry.name).slice(join(root, '/').length))
    .sort();
  for (const file of sources) add(file);
  return hash.digest('hex').slice(0, 16);
}

/** The build that `current` names; null when there is none. */
export function currentBuild(root = repositoryRoot) {
  const dist = join(root, 'dashboard', 'dist');
  try {
    const folder = join(dist, readFileSync(join(dist, 'current'), 'utf8').trim());
    return existsSync(join(folder, 'index.html')) ? folder : null;
  } catch {
    return null;
  }
}

/**
 * Makes sure that there is a build of the present sources.
 * @returns its folder; where there are no sources (a release brings the build alone) that of `current`, or null
 * @throws when the build fails, with what the bundler said
 */
export async function ensureDashboard(root = repositoryRoot) {
  if (!existsSync(join(root, 'dashboard', 'src'))) return currentBuild(root);
  const folder = join(root, 'dashboard', 'dist', fingerprint(root));
  if (!existsSync(join(folder, 'index.html'))) await buildInChild();
  else if (currentBuild(root) !== folder) pointTo(folder, root);
  return currentBuild(root);
}

function buildInChild() {
  return new Promise((done, fail) => {
    const child = spawn(process.execPath, [fileURLToPath(import.meta.url)], { stdio: ['ignore', 'pipe', 'pipe'] });
    let said = '';
    for (const stream of [child.stdout, child.stderr]) stream.on('data', (bytes) => (said += bytes));
    child.once('error', fail);
    child.once('close', (code) => {
      if (code === 0) done();
      else fail(new Error(`the dashboard could not be built:\n${said.trim()}`));
    });
  });
}

async function build(root, force) {
  const dist = join(root, 'dashboard', 'dist');
  const name = fingerprint(root);
  const folder = join(dist, name);
  if (force || !existsSync(join(folder, 'index.html'))) {
    const partial = join(dist, `partial-${randomUUID()}`);
    mkdirSync(partial, { recursive: true });
    try {
      // Whoever asks for the build may be a test run, whose NODE_ENV would bring React's slow, large development build.
      process.env.NODE_ENV = 'production';
      const vite = await import('vite');
      await vite.build({
        configFile: join(root, 'dashboard', 'vite.config.ts'),
        logLevel: 'warn',
        build: { outDir: partial, emptyOutDir: true },
      });
      await compress(partial);
      // Somebody may have built the same meanwhile; both are right.
      if (force) rmSync(folder, { recursive: true, force: true });
      if (!existsSync(folder)) renameSync(partial, folder);
    } catch (error) {
      if (!existsSync(join(folder, 'index.html'))) throw error;
    } finally {
      rmSync(partial, { recursive: true, force: true });
    }
  }
  pointTo(folder, root);
  sweep(dist, name);
}

/** Writes `current` whole or not at all. */
function pointTo(folder, root) {
  const file = join(root, 'dashboard', 'dist', 'current');
  const temporary = `${file}.${randomUUID()}`;
  writeFileSync(temporary, `${folder.slice(join(root, 'dashboard', 'dist', '/').length)}\n`);
  renameSync(temporary, file);
}

/** Compressed twins beside the files, made once so that the server never compresses. */
async function compress(folder) {
  const [brotli, zip] = [promisify(brotliCompress), promisify(gzip)];
  const files = readdirSync(folder, { recursive: true, withFileTypes: true })
    .filter((entry) => entry.isFile() && entry.name !== 'index.html' && COMPRESSIBLE.has(extname(entry.name)))
    .map((entry) => join(entry.parentPath, entry.name));
  await Promise.all(
    files.map(async (file) => {
      const bytes = await readFile(file);
      if (bytes.length < COMPRESS_FROM_BYTES) return;
      const params = { [constants.BROTLI_PARAM_QUALITY]: 10, [constants.BROTLI_PARAM_SIZE_HINT]: bytes.length };
      await writeFile(`${file}.br`, await brotli(bytes, { params }));
      await writeFile(`${file}.gz`, await zip(bytes, { level: 9 }));
    }),
  );
}

function sweep(dist, keep) {
  const age = (entry) => Date.now() - statSync(join(dist, entry), { throwIfNoEntry: false })?.mtimeMs;
  const folders = readdirSync(dist, { withFileTypes: true })
    .filter((entry) => entry.isDirectory() && entry.name !== keep)
    .map((entry) => ({ name: entry.name, age: age(entry.name) }))
    .sort((one, other) => one.age - other.age);
  for (const { name, age } of folders.slice(KEEP_COUNT)) {
    if (age > KEEP_MS) rmSync(join(dist, name), { recursive: true, force: true });
  }
}

if (process.argv[1] !== undefined && realpathSync(process.argv[1]) === fileURLToPath(import.meta.url)) {
  try {
    await build(repositoryRoot, process.argv.includes('--force'));
  } catch (error) {
    console.error(error);
    process.exitCode = 1;
  }
}
