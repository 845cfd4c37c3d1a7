/**
 * What podman's OCI runtime is seen to do: a script between the two notes it down, in a folder of the attempt.
 *
 * An engine tells little and late. It says that a container runs when it is asked, for a tenth of a second of processor time
 * each; it removes the container's control group, and with it the only certain word on why it ended; and its own word,
 * conmon's, is written by whoever comes first, the end or the news of the kernel's kill (on cgroup v1 one time in two
 * wrong). The runtime cannot be so quick: the group is there from its `create` to its `delete`. So before it deletes, the
 * group's accounts are copied, under the names that the kernel gives them.
 *
 * Podman that is killed between the two leaves a container that was created, will never start, and that `rm` does not know of.
 * So whoever removes a container says so first (`over`), and ends the noted process afterwards; a `create` that is still under
 * way then ends its own. One of the two sees the other.
 *
 * The script uses nothing but what a shell has built in: conmon starts it without a PATH. Docker takes runtimes only from its
 * daemon's configuration, so it is asked (`engine-script.ts`).
 */
import { spawnSync } from 'node:child_process';
import { existsSync, mkdirSync, readFileSync, rmSync, statSync, writeFileSync } from 'node:fs';
import { join } from 'node:path';
import type { ContainerDriverChoice } from '../../supervisor/files.ts';
import { identify, type ProcessIdentity, readStat } from '../../supervisor/process-identity.ts';
import type { Cgroup } from '../cgroup.ts';
import { type Mount, readMounts } from '../mounts.ts';
import { shellQuote as q } from '../shell-quote.ts';

/** Names inside the folder of notes. */
export const NOTES = {
  folder: 'engine',
  /** The script itself. */
  runtime: 'runtime',
  /** Number of conmon, which holds the container's output. */
  monitor: 'monitor',
  /** Number of the container's first process, written before it runs anything. */
  pid: 'pid',
  /** By what name the runtime knows it. */
  id: 'id',
  /** Holds something from when the runtime is told to let the command go until it refuses: it ran, whatever else is known. */
  starting: 'starting',
  /** The command runs; since when, in seconds since boot (a reader may come before the words). */
  started: 'started',
  /** Its groups, as /proc has them. */
  cgroup: 'cgroup',
  /** The container is being removed: nothing may be created any more. */
  over: 'over',
} as const;

const deleteMs = 10_000;

/** Files that hold a group's accounts, by the controller whose folder they lie in. */
const ACCOUNTS = {
  1: {
    memory: ['memory.oom_control', 'memory.usage_in_bytes', 'memory.max_usage_in_bytes'],
    cpuacct: ['cpuacct.usage'],
  },
  2: { '': ['memory.events', 'memory.current', 'memory.peak', 'cpu.stat'] },
} as const;

/** What podman would have used; null for docker, and where the probe did not find out. */
export function runtimeOf(driver: ContainerDriverChoice): string | null {
  const flag = driver.flags.find((word) => word.startsWith('--runtime=/'));
  return driver.kind !== 'podman' || flag === undefined ? null : flag.slice('--runtime='.length);
}

/** Makes the folder, without notes of an earlier start. @returns the script, to be given as runtime; null: none can be had */
export function prepareNotes(dir: string, driver: ContainerDriverChoice): string | null {
  const folder = join(dir, NOTES.folder);
  rmSync(folder, { recursive: true, force: true });
  const runtime = runtimeOf(driver);
  if (runtime === null) return null;
  mkdirSync(folder, { mode: 0o700 });
  const path = join(folder, NOTES.runtime);
  writeFileSync(path, notesScript(runtime, folder, readMounts()), { mode: 0o700 });
  return path;
}

/** The group's accounts as they were when it was removed, to be read like a group; null while it was not. */
export function notedCgroup(folder: string): Cgroup | null {
  if (existsSync(join(folder, ACCOUNTS[1].memory[0]))) {
    return { version: 1, directories: { memory: folder, cpuacct: folder } };
  }
  return existsSync(join(folder, ACCOUNTS[2][''][0])) ? { version: 2, directories: { memory: folder } } : null;
}

/** Whether the runtime was told to let the command go, and has not refused. */
export function wasLetGo(folder: string): boolean {
  return (statSync(join(folder, NOTES.starting), { throwIfNoEntry: false })?.size ?? 0) > 0;
}

/** Who holds the container's output; null where nobody was noted, or when it is gone already. */
export function notedMonitor(folder: string): ProcessIdentity | null {
  try {
    return identify(Number(readFileSync(join(folder, NOTES.monitor), 'utf8')));
  } catch {
    return null;
  }
}

/** Says that a container is about to be removed; before its `rm`. A folder that is not there has no notes to end. */
export function noteRemoval(folder: string): void {
  if (existsSync(folder)) writeFileSync(join(folder, NOTES.over), '');
}

/**
 * Ends a first process that `rm` did not know of; after it.
 * @returns whether it is gone
 */
export function endNoted(folder: string): boolean {
  let pid: number;
  let groups: string;
  try {
    pid = Number(readFileSync(join(folder, NOTES.pid), 'utf8'));
    groups = readFileSync(join(folder, NOTES.cgroup), 'utf8');
  } catch {
    return true;
  }
  try {
    // A number may be another's by now; nobody else is in the container's groups.
    if (groups === '' || readFileSync(`/proc/${pid}/cgroup`, 'utf8') !== groups) return true;
    if (groups === readFileSync('/proc/self/cgroup', 'utf8')) return true;
    const id = readFileSync(join(folder, NOTES.id), 'utf8').trim();
    spawnSync(join(folder, NOTES.runtime), ['delete', '--force', id], { stdio: 'ignore', timeout: deleteMs });
    process.kill(pid, 'SIGKILL');
    return readStat(pid)?.state === 'Z';
  } catch {
    return true;
  }
}

/** @param runtime absolute path of the OCI runtime @param mounts where this machine's groups are seen */
export function notesScript(runtime: string, folder: string, mounts: readonly Mount[]): string {
  const note = (name: string) => q(join(folder, name));
  return [
    '#!/bin/sh',
    `runtime=${q(runtime)}`,
    'verb= file= before=',
    'for word do',
    '  [ "$before" != --pid-file ] || file=$word',
    // biome-ignore lint/suspicious/noTemplateCurlyInString: a shell's parameter expansion
    '  case $word in create|start|delete) verb=${verb:-$word};; esac',
    '  before=$word',
    'done',
    'copy() { [ ! -r "$1" ] || while IFS= read -r line; do printf "%s\\n" "$line"; done < "$1" > "$2"; }',
    'case $verb in',
    'create)',
    // Conmon calls, and stays.
    `  echo "$PPID" > ${note(NOTES.monitor)}`,
    '  "$runtime" "$@" || exit',
    '  { read -r pid < "$file"',
    `  copy "/proc/$pid/cgroup" ${note(NOTES.cgroup)}`,
    `  echo "$before" > ${note(NOTES.id)}`,
    `  echo "$pid" > ${note(NOTES.pid)}; } 2>/dev/null`,
    // Also where the folder is gone, and the attempt with it.
    `  [ ! -e ${note(NOTES.pid)} ] || [ -e ${note(NOTES.over)} ] || exit 0`,
    '  kill -9 "$pid"; "$runtime" delete --force "$before"',
    '  exit 1;;',
    'start)',
    `  echo > ${note(NOTES.starting)}`,
    // Killed, it could not say what it had done.
    `  "$runtime" "$@" || { code=$?; [ "$code" -gt 128 ] || : > ${note(NOTES.starting)}; exit "$code"; }`,
    `  read -r since _ < /proc/uptime; echo "$since" > ${note(NOTES.started)}`,
    '  exit 0;;',
    'delete)',
    `  { ${copyAccounts(folder, mounts)}; } 2>/dev/null;;`,
    'esac',
    'exec "$runtime" "$@"',
    '',
  ].join('\n');
}

/** Copies accounts from each group in the noted list that has some. */
function copyAccounts(folder: string, mounts: readonly Mount[]): string {
  const when = (names: string, mount: Mount, files: readonly string[]) =>
    `case ,$names, in ${names}) ${copies(folder, mount, files)};; esac`;
  const looks = Object.entries(ACCOUNTS[1]).flatMap(([controller, files]) => {
    const mount = mounts.find(({ type, superOptions }) => type === 'cgroup' && superOptions.includes(controller));
    return mount === undefined ? [] : [when(`*,${controller},*`, mount, files)];
  });
  const unified = mounts.find(({ type }) => type === 'cgroup2');
  // Where version 1 counts memory, the unified tree counts none.
  if (looks.length === 0 && unified !== undefined) looks.push(when(',,', unified, ACCOUNTS[2]['']));
  const list = q(join(folder, NOTES.cgroup));
  return `while IFS=: read -r _ names path; do ${looks.join('; ') || ':'}; done < ${list}`;
}

function copies(folder: string, { root, target }: Mount, files: readonly string[]): string {
  const prefix = root === '/' ? '' : root;
  // A mount that shows only a part of the tree: paths in /proc begin above it.
  const group = `group=${q(target)}; case $path in ${q(prefix)}/*) group=$group\${path#${q(prefix)}};; *) group=$group$path;; esac`;
  return [group, ...files.map((name) => `copy "$group/${name}" ${q(join(folder, name))}`)].join('; ');
}
