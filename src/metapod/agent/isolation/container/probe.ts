/**
 * Which driver runs containers on this machine, found by running one.
 *
 * Each candidate makes a real container of the smallest program there is. What its version says is not asked: crun of
 * Debian 12 fails on one kernel and works on the next, podman wants cgroupfs here and systemd there. What worked is
 * remembered, because trying an engine takes a second, for as long as nothing that it hangs on has changed; a failure is
 * tried again at every start, for somebody may have cured it.
 */
import { execFile } from 'node:child_process';
import { createHash } from 'node:crypto';
import { existsSync, mkdirSync, readFileSync, statSync, writeFileSync } from 'node:fs';
import { release } from 'node:os';
import { dirname, join } from 'node:path';
import { promisify } from 'node:util';
import { type ContainerDriverChoice, type Launch, readJson, writeAtomic } from '../../supervisor/files.ts';
import { cureFor, type LevelProbe, probeLaunch, tryLaunch } from '../probe.ts';
import { engineEnvironment, engineWords } from './engine.ts';
import { runtimeOf } from './engine-notes.ts';
import { trialInstallation } from './runtime.ts';
import { writeStillProgram } from './still-program.ts';

const run = promisify(execFile);
const FOLDERS = ['/usr/local/sbin', '/usr/local/bin', '/usr/sbin', '/usr/bin', '/sbin', '/bin', '/usr/libexec/docker'];

export type ContainerProbe = { probe: LevelProbe; driver: ContainerDriverChoice | null };

/** Absolute path of a program in the system's own places; null when it is not installed. */
export function findProgram(name: string): string | null {
  return FOLDERS.map((folder) => join(folder, name)).find((path) => existsSync(path)) ?? null;
}

/** Everything worth trying, best first. */
export function candidates(find: (name: string) => string | null = findProgram): ContainerDriverChoice[] {
  const found: ContainerDriverChoice[] = ['runc', 'crun'].flatMap((name) => {
    const program = find(name);
    return program === null ? [] : [{ kind: 'runtime', program, flags: [], createFlags: [] }];
  });
  for (const kind of ['podman', 'docker'] as const) {
    const program = find(kind);
    if (program !== null) found.push({ kind, program, flags: [], createFlags: ['--init'] });
  }
  return found;
}

/**
 * What to try after a failure; null when nothing more is known to help.
 *
 * @param why what the engine said
 * @param runtime a runtime that podman may use instead of its own
 */
export function adjusted(
  driver: ContainerDriverChoice,
  why: string,
  runtime: string | null,
): ContainerDriverChoice | null {
  if (driver.kind === 'runtime') return null;
  const { flags, createFlags } = driver;
  const without = createFlags.filter((flag) => flag !== '--init');
  // Without an init in it, a container of a program that ignores SIGTERM ends when its grace is over.
  if (/init binary|docker-init/i.test(why) && without.length < createFlags.length) {
    return { ...driver, createFlags: without };
  }
  if (/rlimit/i.test(why) && !createFlags.some((flag) => flag.startsWith('--ulimit=nofile'))) {
    return { ...driver, createFlags: [...createFlags, '--ulimit=nofile=1024:1024', '--ulimit=nproc=1024:1024'] };
  }
  if (driver.kind === 'podman' && runtime !== null && flags.length === 0) {
    return { ...driver, flags: [`--runtime=${runtime}`, '--cgroup-manager=cgroupfs'] };
  }
  return null;
}

/**
 * @param folder where the answer is remembered; null: nowhere
 * @param wanted drivers that the operator allows, in his order; default all, in ours
 */
export async function probeContainer(
  nodeBinary: string,
  folder: string | null,
  wanted?: readonly ContainerDriverChoice['kind'][],
): Promise<ContainerProbe> {
  const all = candidates();
  const allowed = wanted === undefined ? all : wanted.flatMap((kind) => all.filter((one) => one.kind === kind));
  if (allowed.length === 0) {
    const why =
      wanted === undefined ? 'neither runc, crun, podman nor docker is installed' : `no ${wanted.join(' or ')} here`;
    const cure = 'install runc (Debian, Ubuntu and RHEL: package runc)';
    return { probe: { level: 'container', offered: false, why, cure }, driver: null };
  }
  const file = folder === null ? null : join(folder, 'container-probe.json');
  const fingerprint = fingerprintOf(allowed);
  const known = file === null ? null : readJson<{ fingerprint: string; answer: ContainerProbe }>(file);
  if (known?.kind === 'ok' && known.value.fingerprint === fingerprint) return known.value.answer;
  const failures: string[] = [];
  let first: LevelProbe | undefined;
  const open = [...allowed];
  for (let driver = open.shift(); driver !== undefined; driver = open.shift()) {
    const probe = await tryDriver(driver, nodeBinary);
    const next = probe.offered ? null : adjusted(driver, probe.why, findProgram('runc'));
    if (next !== null) {
      open.unshift(next);
      continue;
    }
    if (probe.offered) {
      const answer = { probe, driver: await withRuntime(driver) };
      if (file !== null) {
        mkdirSync(dirname(file), { recursive: true, mode: 0o700 });
        writeAtomic(file, JSON.stringify({ fingerprint, answer }), false);
      }
      return answer;
    }
    first ??= probe;
    failures.push(`${driver.kind} (${[driver.program, ...driver.flags].join(' ')}): ${probe.offered ? '' : probe.why}`);
  }
  const cure = first?.offered === false ? first.cure : '';
  return { probe: { level: 'container', offered: false, why: failures.join('; '), cure }, driver: null };
}

/** Podman with the name of the runtime that it uses, for whoever wants to see what that does (`engine-notes.ts`). */
export async function withRuntime(driver: ContainerDriverChoice): Promise<ContainerDriverChoice> {
  if (driver.kind !== 'podman' || runtimeOf(driver) !== null) return driver;
  const [program, ...flags] = engineWords(driver);
  const words = [...flags, 'info', '--format', '{{.Host.OCIRuntime.Path}}'];
  const path = await run(program, words, { env: engineEnvironment(), timeout: 30_000 }).then(
    ({ stdout }) => stdout.trim(),
    () => '',
  );
  return /^\/[^\n]+$/.test(path) ? { ...driver, flags: [...flags, `--runtime=${path}`] } : driver;
}

/** Runs one container with the driver. */
export function tryDriver(driver: ContainerDriverChoice, nodeBinary: string): Promise<LevelProbe> {
  return tryLaunch((dir) => trialLaunch(dir, driver, nodeBinary), cureOf);
}

/** Whatever the agent's umask: the ids of a container must see its root. */
function trialLaunch(dir: string, driver: ContainerDriverChoice, nodeBinary: string): Launch {
  const umask = process.umask(0o022);
  try {
    return makeTrial(dir, driver, nodeBinary);
  } finally {
    process.umask(umask);
  }
}

function makeTrial(dir: string, driver: ContainerDriverChoice, nodeBinary: string): Launch {
  const rootfs = join(dir, 'image');
  for (const path of ['proc', 'sys', 'dev', 'tmp', 'etc', 'work', 'run/secrets', 'solyx/artifacts', 'solyx/metrics']) {
    mkdirSync(join(rootfs, path), { recursive: true, mode: 0o755 });
  }
  for (const name of ['hosts', 'resolv.conf']) writeFileSync(join(rootfs, 'etc', name), '');
  writeStillProgram(join(rootfs, 'still'));
  return {
    ...probeLaunch('container', nodeBinary),
    container: {
      driver,
      installation: trialInstallation,
      imageKey: 'probe',
      rootfs,
      words: ['/still'],
      env: {},
      cwd: '/',
      user: { uid: 0, gid: 0, groups: [] },
    },
  };
}

function cureOf(why: string): string {
  if (/seccomp/i.test(why)) return 'install a runtime that is built with seccomp (the runc of your distribution is)';
  if (/cannot connect to the docker daemon|docker\.sock/i.test(why)) {
    return 'start the docker daemon, and let the user of the agent use it (group docker)';
  }
  if (/cgroup/i.test(why)) return 'delegate a cgroup to the agent (systemd: Delegate=yes), or run it as root';
  return cureFor(why);
}

/** Of what decides whether a driver works: programs, kernel, user, and what the kernel allows him. */
function fingerprintOf(drivers: readonly ContainerDriverChoice[]): string {
  const hash = createHash('sha256').update(`2 ${release()} ${process.getuid?.()} ${process.execPath}`);
  for (const { program, flags } of drivers) {
    const { size, mtimeMs, ino } = statSync(program);
    hash.update(`${program} ${flags.join(' ')} ${size} ${mtimeMs} ${ino}`);
  }
  for (const name of ['user/max_user_namespaces', 'kernel/apparmor_restrict_unprivileged_userns']) {
    try {
      hash.update(readFileSync(`/proc/sys/${name}`));
    } catch {
      hash.update('-');
    }
  }
  return hash.digest('hex');
}
