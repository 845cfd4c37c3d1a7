/**
 * Starting a command beside a job's own: in its namespaces and control groups, as its user, with nothing that the job has not.
 *
 *   outer   host     enters the control groups; nsenter into mount, pid, ipc, uts, net and cgroup namespaces (an agent that is not root: by
 *                    way of the user namespace that owns them)
 *   middle  inside   becomes the job's user, then enters the job's own user namespace
 *   final   inside   no new privileges, no capabilities; becomes the command
 *
 * It mirrors `sandbox-script.ts`: wrapping runs under an environment that the job cannot influence, and what may be secret (the environment
 * of the command) arrives last, by descriptor 4. Descriptor 3 speaks as there: `solyx:ready`, or why it could not start.
 * One thing differs from the job's own process: the bounding set. Entering a user namespace fills it, and emptying it takes a
 * capability that is gone by then; without privileges to gain (no_new_privs, no further user namespaces) it means nothing.
 */
import { readFileSync } from 'node:fs';
import { join } from 'node:path';
import { FILES, type Launch, type Status } from '../supervisor/files.ts';
import { identify, readStat } from '../supervisor/process-identity.ts';
import { joinFiles, recordedCgroup } from './cgroup.ts';
import { enterContainer } from './container/enter-container.ts';
import { jobEnvironment, systemTool, TRUSTED_ENVIRONMENT } from './environment.ts';
import { INSIDE } from './sandbox-root.ts';
import { isShellName, shellQuote as q } from './shell-quote.ts';

export interface EnterOptions {
  /** What is started carries this where it is not our child. */
  readonly mark: string;
  /** Program and arguments; empty: a shell. */
  readonly command: readonly string[];
  /** Added to the job's environment. */
  readonly env?: Readonly<Record<string, string>>;
  /** Standard input is a terminal that is to become the command's own. */
  readonly terminal?: boolean;
  /** Descriptor 3 stays open in the command, which speaks on it itself. */
  readonly keepControl?: boolean;
  /** What the command gets when the launcher dies; default KILL. */
  readonly deathSignal?: 'KILL' | 'TERM';
}

export interface Entrance {
  readonly argv: [string, ...string[]];
  readonly env: Record<string, string>;
  /** For descriptor 4. */
  readonly script: string;
  /** Who runs the command, as the host numbers users, when it is somebody else than we. */
  readonly ownerUid: number | null;
  /** The started process becomes the command itself; else the command is its child. */
  readonly direct: boolean;
  /** The mark that what was started carries, when it is no child of ours. */
  readonly mark?: string;
  /** Only with a mark: whether the started process hands signals on. */
  readonly relaysSignals?: boolean;
}

/** The job cannot be entered; the message is for the user. */
export class CannotEnter extends Error {}

/**
 * Prepares a command for a job that runs; nothing is started.
 * @throws CannotEnter when it does not run (any more)
 */
export function enterJob(dir: string, launch: Launch, status: Status, options: EnterOptions): Entrance {
  const { jobPid, processes } = status;
  const job = processes.find(({ pid }) => pid === jobPid);
  if (status.state !== 'running' || jobPid === null || job === undefined) throw new CannotEnter('it does not run');
  if (identify(jobPid)?.start !== job.start) throw new CannotEnter('it has just ended');
  if (launch.isolation === 'container') return enterContainer(dir, launch, status, options);
  const cgroup = recordedCgroup(dir);
  const joins = cgroup === null ? [] : joinFiles(cgroup);
  const env = { ...environmentOf(jobPid, dir, launch), ...options.env };
  const script = commandScript(env, options, launch.isolation === 'process' ? join(dir, FILES.work) : INSIDE.work);
  const isRoot = process.getuid?.() === 0;
  const { uid, gid, groups } = credentialsOf(jobPid);
  const ownerUid = isRoot && launch.isolation !== 'process' ? uid : null;
  const wrap = (outer: string): Entrance => ({
    // Its parent is checked because the signal was asked for only after the fork.
    argv: [systemTool('setpriv'), '--pdeathsig', options.deathSignal ?? 'KILL', '/bin/sh', '-c', outer],
    env: TRUSTED_ENVIRONMENT,
    script,
    ownerUid,
    direct: launch.isolation === 'process',
  });
  const outer = ['exec 5>&2 2>&3', `[ "$PPID" = ${process.pid} ] || exit 125`, ...joins.map(joinLine)];
  if (launch.isolation === 'process') {
    return wrap([...outer, finalLines(launch, { ...options, processLimit: null }, [])].join('\n'));
  }

  const init = processes[0]!;
  // As the job itself has it: only where no control group counts.
  const processLimit = cgroup?.directories.pids === undefined ? launch.limits.pids : null;
  const final = finalLines(launch, { ...options, processLimit }, ['exec 6<&-']);
  if (isRoot && uid === 0) throw new CannotEnter('its process is root on the host');
  const user = isRoot
    ? `${systemTool('setpriv')} --reuid ${uid} --regid ${gid} ${groups.length > 0 ? `--groups ${groups.join(',')}` : '--clear-groups'}`
    : '';
  const namespaces = ['--mount', '--ipc', '--uts', '--cgroup', '--pid'];
  if (launch.network === 'none') namespaces.push('--net');
  // Without root the namespaces belong to a user namespace of ours, in which we are root as we are.
  if (!isRoot) namespaces.unshift('--user', '--preserve-credentials');
  return wrap(
    [
      ...outer,
      `exec 6< /proc/${jobPid}/ns/user || exit 125`,
      // The numbers may have been given to others since they were looked at.
      ...[job, init].map(({ pid, start }) => sameProcess(pid, start)),
      `exec ${systemTool('nsenter')} --target ${init.pid} ${namespaces.join(' ')} ${user} nsenter --user=/proc/self/fd/6 --preserve-credentials sh -c ${q(final)}`,
    ].join('\n'),
  );
}

/** When memory runs out, the kernel takes a visitor before anything of the job itself. */
const dieFirst = 'echo 1000 > /proc/self/oom_score_adj 2>/dev/null';

export const joinLine = (file: string) =>
  `echo 0 > ${q(file)} || { echo "cannot enter the control group" >&3; exit 125; }`;

/** Field 22 of the stat file is the start time; the name in field 2 may hold anything. */
export const sameProcess = (pid: number, start: string) =>
  `read -r stat < /proc/${pid}/stat && set -- \${stat##*) } && [ "\${20}" = ${q(start)} ] || { echo "the job has just ended" >&3; exit 125; }`;

/** The end of the wrapping: limits that are a process's own, then the command's script. */
function finalLines(
  launch: Launch,
  options: EnterOptions & { processLimit: number | null },
  first: readonly string[],
): string {
  const drop =
    launch.isolation === 'process'
      ? ''
      : `${options.terminal ? '' : 'setsid '}setpriv --no-new-privs --inh-caps -all --ambient-caps -all --pdeathsig ${options.deathSignal ?? 'KILL'}`;
  const become = `exec 8<&0; exec ${drop} sh -s <&4`;
  return [
    ...first,
    dieFirst,
    'ulimit -c 0',
    ...(options.processLimit === null
      ? []
      : [`ulimit -p ${options.processLimit} 2>/dev/null || ulimit -u ${options.processLimit}`]),
    // A session of its own, whose terminal this is, is what makes Ctrl-C and job control work.
    options.terminal ? `exec setsid --ctty sh -c ${q(become)}` : become,
  ].join('\n');
}

/** What the last shell reads from descriptor 4: environment, folder, command. */
function commandScript(env: Readonly<Record<string, string>>, options: EnterOptions, cwd: string): string {
  const [program] = options.command;
  const control = options.keepControl ? '' : '3>&-';
  const streams = `<&8 2>&5 ${control} 4<&- 5>&- 8<&-`;
  const ready = 'echo solyx:ready >&3';
  return [
    ...Object.entries(env)
      .filter(([name]) => isShellName(name))
      .map(([name, value]) => `export ${name}=${q(value)}`),
    `cd ${q(cwd)} || cd /`,
    ...(program === undefined
      ? [ready, `if command -v bash >/dev/null; then exec bash ${streams}; else exec sh ${streams}; fi`]
      : [
          ...(options.keepControl
            ? [
                `command -v ${q(program)} >/dev/null || { echo ${q(`there is no ${program} in the job`)} >&3; exit 127; }`,
              ]
            : [ready]),
          `command -v ${q(program)} >/dev/null || { echo ${q(`solyx: command not found in the job: ${program}`)} >&5; exit 127; }`,
          `exec ${options.command.map(q).join(' ')} ${streams}`,
        ]),
    '',
  ].join('\n');
}

/**
 * The environment that the job's command was started with, which alone holds what came from the secret store. A program may
 * have written over it; then what the launch says has to do.
 */
function environmentOf(jobPid: number, dir: string, launch: Launch): Record<string, string> {
  const found: Record<string, string> = {};
  try {
    for (const line of readFileSync(`/proc/${jobPid}/environ`, 'utf8').split('\0')) {
      const at = line.indexOf('=');
      if (at > 0) found[line.slice(0, at)] = line.slice(at + 1);
    }
  } catch {
    // Not to be read: as if it were empty.
  }
  if (found.SOLYX_JOB_ID === launch.jobId && found.PATH !== undefined) return found;
  const inside = launch.isolation !== 'process';
  const at = (name: string, path: string) => (inside ? path : join(dir, name));
  return jobEnvironment(launch, {
    home: at(FILES.work, INSIDE.work),
    temporary: inside ? '/tmp' : join(dir, 'tmp'),
    artifacts: at(FILES.artifacts, INSIDE.artifacts),
    metricsFile: inside ? INSIDE.metricsFile : join(dir, FILES.metrics, 'metrics.ndjson'),
    checkpoint: launch.checkpoint === null ? null : inside ? INSIDE.checkpoint : launch.checkpoint.dir,
    previousCheckpoint: null,
    nodeDirectory: inside ? INSIDE.nodeDirectory : join(launch.nodeBinary, '..'),
  });
}

/** Real user, group and further groups of a process, as the host numbers them. @throws CannotEnter when it is gone */
function credentialsOf(pid: number): { uid: number; gid: number; groups: number[] } {
  let text: string;
  try {
    text = readFileSync(`/proc/${pid}/status`, 'utf8');
  } catch {
    throw new CannotEnter('it has just ended');
  }
  const numbers = (name: string) =>
    (new RegExp(`^${name}:[ \\t]*(.*)$`, 'm').exec(text)?.[1] ?? '')
      .split(/\s+/)
      .filter((word) => word !== '')
      .map(Number);
  const [uid] = numbers('Uid');
  const [gid] = numbers('Gid');
  if (uid === undefined || gid === undefined) throw new CannotEnter('nobody can say whose it is');
  return { uid, gid, groups: numbers('Groups') };
}

/** The command's own process, as the host numbers it; null while it is not there. @param launcher the process that was started */
export function enteredPid(launcher: number, direct: boolean): number | null {
  if (direct) return launcher;
  try {
    const [child] = readFileSync(`/proc/${launcher}/task/${launcher}/children`, 'utf8').trim().split(' ').map(Number);
    return child !== undefined && child > 1 && readStat(child) !== null ? child : null;
  } catch {
    return null;
  }
}
