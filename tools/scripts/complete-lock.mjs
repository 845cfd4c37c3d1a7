/**
 * Completes package-lock.json with optional platform packages that the registry did not serve.
 *
 * `npm install` leaves out entries of optional platform binaries that it cannot fetch, and then writes a lock that
 * `npm ci` refuses. The entries' names, versions, os, cpu and libc follow from the parents' optionalDependencies, so
 * they can be added without an integrity hash: npm skips them on every platform where they do not apply.
 *
 * `--check` changes nothing and exits 1 when an entry is missing. Plain JavaScript, so that any Node runs it.
 */
import { readFileSync, writeFileSync } from 'node:fs';

const PLATFORM_WORDS = {
  os: {
    darwin: 'darwin',
    linux: 'linux',
    win32: 'win32',
    windows: 'win32',
    android: 'android',
    freebsd: 'freebsd',
    openbsd: 'openbsd',
    netbsd: 'netbsd',
    sunos: 'sunos',
    aix: 'aix',
    openharmony: 'openharmony',
  },
  cpu: ['arm64', 'x64', 'ia32', 'arm', 'ppc64', 's390x', 'riscv64', 'loong64', 'mips64el', 'wasm32'],
};

/** Lists optional dependencies of locked packages that have no lock entry. */
export function missingEntries(lock) {
  const missing = [];
  for (const [path, entry] of Object.entries(lock.packages)) {
    for (const [name, range] of Object.entries(entry.optionalDependencies ?? {})) {
      const nested = `${path ? `${path}/` : ''}node_modules/${name}`;
      const top = `node_modules/${name}`;
      if (!lock.packages[nested] && !lock.packages[top]) missing.push({ parent: entry, name, range });
    }
  }
  return missing;
}

function lockEntry({ parent, name, range }) {
  const words = name.split(/[-/@.]/);
  const os = words.map((word) => PLATFORM_WORDS.os[word]).find(Boolean);
  const cpu = PLATFORM_WORDS.cpu.find((candidate) => words.includes(candidate));
  const musl = words.some((word) => word.startsWith('musl'));
  const glibc = words.some((word) => word.startsWith('gnu'));
  return {
    version: range.replace(/^[\^~]/, ''),
    ...(cpu && { cpu: [cpu] }),
    ...(musl ? { libc: ['musl'] } : glibc ? { libc: ['glibc'] } : {}),
    ...(parent.dev && { dev: true }),
    ...(parent.license && { license: parent.license }),
    optional: true,
    ...(os && { os: [os] }),
    ...(parent.engines && { engines: parent.engines }),
  };
}

if (import.meta.url === `file://${process.argv[1]}`) {
  const lock = JSON.parse(readFileSync('package-lock.json', 'utf8'));
  const missing = missingEntries(lock);
  if (process.argv.includes('--check')) {
    for (const { name } of missing) console.error(`package-lock.json lacks ${name}; run: npm run lock:complete`);
    process.exit(missing.length > 0 ? 1 : 0);
  }
  for (const hole of missing) lock.packages[`node_modules/${hole.name}`] = lockEntry(hole);
  const { '': root, ...rest } = lock.packages;
  const sorted = Object.entries(rest).sort(([a], [b]) => (a < b ? -1 : 1));
  lock.packages = { '': root, ...Object.fromEntries(sorted) };
  writeFileSync('package-lock.json', `${JSON.stringify(lock, null, 2)}\n`);
  console.log(`added ${missing.length} entries`);
}
