/**
 * The root directory that a sandboxed job sees: an almost empty skeleton on disk, with the host's /usr and a few
 * single files bound over it read-only.
 *
 * The skeleton is made by plain file calls before anything is started (a mkdir program per directory would cost
 * more than all the rest of the start). It holds mount points, links and a minimal /etc, and nothing secret.
 */
import {
  existsSync,
  lstatSync,
  mkdirSync,
  readdirSync,
  readFileSync,
  readlinkSync,
  symlinkSync,
  writeFileSync,
} from 'node:fs';
import { hostname } from 'node:os';
import { dirname, join } from 'node:path';
import { FILES, type Launch } from '../supervisor/files.ts';
import type { JobDirectories } from './directories.ts';
import { INSIDE_UID } from './identity.ts';
import { bindLines, fstabLine, readMounts } from './mounts.ts';
import { insideSecrets } from './secret-files.ts';

/** Paths as the job sees them. */
export const INSIDE = {
  work: '/work',
  artifacts: '/solyx/artifacts',
  metrics: '/solyx/metrics',
  metricsFile: '/solyx/metrics/metrics.ndjson',
  checkpoint: '/solyx/checkpoint',
  previousCheckpoint: '/solyx/previous-checkpoint',
  nodeDirectory: '/opt/solyx/bin',
} as const;

const READ_ONLY = 'ro,nosuid,nodev';
const WRITABLE = 'nosuid,nodev';
const DEVICE = 'nosuid,noexec';
const PLAIN_DEVICES = ['null', 'zero', 'full', 'random', 'urandom', 'tty'];
/** Parts of the host's /etc that programs need and that hold no secrets. */
const SHARED_ETC = [
  'alternatives',
  'ssl/certs',
  'ssl/openssl.cnf',
  'pki/tls/certs',
  'pki/ca-trust/extracted',
  'ca-certificates',
  'ld.so.cache',
  'localtime',
];

export interface SandboxRoot {
  directory: string;
  fstab: string;
}

/**
 * Makes the skeleton and the table of mounts, in the order in which they are to be made.
 * @param secretsBytes size of the tmpfs for secrets; 0: none
 */
export function makeRoot(dir: string, launch: Launch, directories: JobDirectories, secretsBytes = 0): SandboxRoot {
  // The job is another user in there and must see its root, however private the agent keeps what it writes.
  const umask = process.umask(0o022);
  try {
    return makeSkeleton(dir, launch, directories, secretsBytes);
  } finally {
    process.umask(umask);
  }
}

function makeSkeleton(dir: string, launch: Launch, directories: JobDirectories, secretsBytes: number): SandboxRoot {
  const root = join(dir, FILES.root);
  const mounts = readMounts();
  const lines: string[] = [];
  const directory = (path: string) => mkdirSync(join(root, path), { recursive: true, mode: 0o755 });
  const file = (path: string, text = '') => {
    directory(dirname(path));
    writeFileSync(join(root, path), text, { mode: 0o644 });
  };
  const bind = (source: string, path: string, options: string) => {
    if (lstatSync(source).isDirectory()) directory(path);
    else file(path);
    lines.push(...bindLines(source, join(root, path), options, mounts));
  };
  const memory = (path: string, bytes: number) => {
    directory(path);
    lines.push(fstabLine('tmpfs', join(root, path), 'tmpfs', `${WRITABLE},mode=1777,size=${Math.floor(bytes)}`));
  };

  for (const path of ['/', '/run', '/sys', '/var', '/proc', '/dev/pts', '/dev/shm', '/etc', '/home']) directory(path);
  lines.push(...bindLines(root, root, READ_ONLY, []));
  bind('/usr', '/usr', READ_ONLY);
  for (const name of readdirSync('/').filter((entry) => /^(bin|sbin|lib(32|64|x32)?)$/.test(entry))) {
    if (lstatSync(`/${name}`).isSymbolicLink()) symlinkSync(readlinkSync(`/${name}`), join(root, name));
    else bind(`/${name}`, `/${name}`, READ_ONLY);
  }
  symlinkSync('/tmp', join(root, 'var/tmp'));
  writeEtc(file, launch);
  for (const name of SHARED_ETC) if (existsSync(`/etc/${name}`)) bindEtc(name);
  bind(launch.nodeBinary, `${INSIDE.nodeDirectory}/node`, READ_ONLY);

  lines.push(fstabLine('proc', join(root, 'proc'), 'proc', 'nosuid,nodev,noexec'));
  for (const name of PLAIN_DEVICES) bind(`/dev/${name}`, `/dev/${name}`, DEVICE);
  for (const node of launch.devices.flatMap((device) => device.nodes)) {
    if (!/^\/dev\/[\w./-]+$/.test(node) || node.includes('..')) throw new Error(`"${node}" is not a device node`);
    if (!existsSync(join(root, node))) bind(node, node, DEVICE);
  }
  lines.push(fstabLine('devpts', join(root, 'dev/pts'), 'devpts', 'newinstance,ptmxmode=0666,mode=620,nosuid,noexec'));
  for (const [name, target] of [
    ['fd', '/proc/self/fd'],
    ['stdin', '/proc/self/fd/0'],
    ['stdout', '/proc/self/fd/1'],
    ['stderr', '/proc/self/fd/2'],
    ['ptmx', 'pts/ptmx'],
  ] as const) {
    symlinkSync(target, join(root, 'dev', name));
  }
  memory('/dev/shm', launch.limits.sharedMemoryBytes);
  // tmpfs is memory and counts as such; the size only keeps `df` honest.
  memory('/tmp', launch.limits.memoryBytes);
  if (secretsBytes > 0) memory(insideSecrets, secretsBytes);
  bind(directories.work, INSIDE.work, WRITABLE);
  bind(directories.artifacts, INSIDE.artifacts, WRITABLE);
  bind(directories.metrics, INSIDE.metrics, WRITABLE);
  if (launch.checkpoint !== null) {
    bind(launch.checkpoint.dir, INSIDE.checkpoint, WRITABLE);
    if (launch.checkpoint.previousDir !== null)
      bind(launch.checkpoint.previousDir, INSIDE.previousCheckpoint, READ_ONLY);
  }
  const fstab = join(dir, 'fstab');
  writeFileSync(fstab, `${lines.join('\n')}\n`, { mode: 0o600 });
  return { directory: root, fstab };

  /** What lies behind a link such as /etc/localtime is under /usr, which the job has: the link itself is enough. */
  function bindEtc(name: string): void {
    const path = `/etc/${name}`;
    if (lstatSync(path).isSymbolicLink()) {
      directory(dirname(path));
      symlinkSync(readlinkSync(path), join(root, path));
    } else bind(path, path, READ_ONLY);
  }
}

function writeEtc(file: (path: string, text: string) => void, launch: Launch): void {
  const host = (path: string) => {
    try {
      return readFileSync(path, 'utf8');
    } catch {
      return '';
    }
  };
  file(
    '/etc/passwd',
    `job:x:${INSIDE_UID}:${INSIDE_UID}:job:${INSIDE.work}:/bin/sh\nnobody:x:65534:65534:nobody:/:/usr/sbin/nologin\n`,
  );
  file('/etc/group', `job:x:${INSIDE_UID}:\nnogroup:x:65534:\n`);
  file('/etc/nsswitch.conf', 'passwd: files\ngroup: files\nhosts: files dns\n');
  const names = `127.0.0.1 localhost ${hostname()}\n::1 localhost\n`;
  file('/etc/hosts', launch.network === 'host' ? `${names}${host('/etc/hosts')}` : names);
  file('/etc/resolv.conf', launch.network === 'host' ? host('/etc/resolv.conf') : '');
}
