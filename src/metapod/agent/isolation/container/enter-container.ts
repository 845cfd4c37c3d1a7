/**
 * Starting a command in a container that runs, by the driver that runs it: only the driver can give it what the container's own process
 * has (root, seccomp filter, capabilities, masked paths).
 *
 * A runtime alone is run again in the namespaces in which it made the container, with the container's own description of a
 * process, so that nothing can differ but the command. It enters the job's control groups first and is counted there while the command runs.
 * podman and docker have `exec`.
 *
 * What a driver starts is not our child, so it carries a mark in its environment by which it is found when its channel ends.
 */
import { readFileSync } from 'node:fs';
import { dirname } from 'node:path';
import type { Launch, Status } from '../../supervisor/files.ts';
import { joinFiles, recordedCgroup } from '../cgroup.ts';
import { CannotEnter, type EnterOptions, type Entrance, joinLine, sameProcess } from '../enter.ts';
import { systemTool, TRUSTED_ENVIRONMENT } from '../environment.ts';
import { shellQuote as q } from '../shell-quote.ts';
import { containerName, engineEnvironment, engineWords } from './engine.ts';
import { chooseStage } from './stage.ts';

/** Name of the mark. */
export const channelMark = 'SOLYX_CHANNEL';

/** What a shell in an image may be called; the first that is there. */
const shells = ['sh', '-c', 'command -v bash >/dev/null && exec bash || exec sh'];

/** @throws CannotEnter */
export function enterContainer(dir: string, launch: Launch, status: Status, options: EnterOptions): Entrance {
  const { container } = launch;
  if (container === undefined) throw new CannotEnter('it is in no container');
  const command = options.command.length > 0 ? options.command : shells;
  return container.driver.kind === 'runtime'
    ? enterRuntime(dir, launch, status, { ...options, command })
    : enterEngine(launch, { ...options, command });
}

/** What of config.json is used. */
interface Description {
  readonly process: { readonly env: readonly string[] };
}

function enterRuntime(dir: string, launch: Launch, status: Status, options: EnterOptions): Entrance {
  const container = launch.container!;
  const [init, job] = status.processes as [Status['processes'][0], Status['processes'][0]];
  const stage = chooseStage([dir, dirname(container.rootfs), launch.checkpoint?.dir ?? dir]);
  let description: Description;
  try {
    description = JSON.parse(readFileSync(`/proc/${init.pid}/root${stage}/bundle/config.json`, 'utf8'));
  } catch (error) {
    throw new CannotEnter(`its description cannot be read (${(error as Error).message})`);
  }
  const extra = { ...options.env, [channelMark]: options.mark };
  const process_ = {
    ...description.process,
    args: options.command,
    env: [...description.process.env, ...Object.entries(extra).map(([name, value]) => `${name}=${value}`)],
    terminal: options.terminal === true,
  };
  const isRoot = process.getuid?.() === 0;
  const cgroup = recordedCgroup(dir);
  const run = [
    ...[q(container.driver.program), '--root state --log state/exec.log exec --process /proc/self/fd/4'],
    ...(options.keepControl ? ['--preserve-fds 1'] : []),
    q(`solyx-${launch.attemptId}-${launch.rank}`),
  ].join(' ');
  // It complains to standard error; its log would say it again.
  const inner = [
    'exec 2>&5 5>&-',
    `cd ${q(stage)} || exit 125`,
    // Memory that only we see. The runtime opens it by name, which what comes by a socket has not; nothing of it is left.
    `file=state/${options.mark}.json`,
    '(umask 077; cat <&4 > "$file") && exec 4< "$file" && rm -f "$file" || exit 125',
    ...(options.keepControl ? [] : ['echo solyx:ready >&3', 'exec 3>&-']),
    `exec setsid ${options.terminal ? '--ctty ' : ''}${run}`,
  ].join('\n');
  const outer = [
    'exec 5>&2 2>&3',
    `[ "$PPID" = ${process.pid} ] || exit 125`,
    ...(cgroup === null ? [] : joinFiles(cgroup)).map(joinLine),
    ...[job, init].map(({ pid, start }) => sameProcess(pid, start)),
    `exec ${systemTool('nsenter')} --target ${init.pid} --user ${isRoot ? '' : '--preserve-credentials'} --mount --pid sh -c ${q(inner)}`,
  ].join('\n');
  return {
    argv: [systemTool('setpriv'), '--pdeathsig', options.deathSignal ?? 'KILL', '/bin/sh', '-c', outer],
    env: TRUSTED_ENVIRONMENT,
    script: JSON.stringify(process_),
    ownerUid: null,
    direct: false,
    mark: options.mark,
    relaysSignals: true,
  };
}

function enterEngine(launch: Launch, options: EnterOptions): Entrance {
  const { driver } = launch.container!;
  if (options.keepControl && driver.kind === 'docker') {
    throw new CannotEnter('docker hands no channel to a copy; use exec with input or output instead');
  }
  const extra = { ...options.env, [channelMark]: options.mark };
  const words = [
    ...engineWords(driver),
    'exec',
    '--interactive',
    ...(options.terminal ? ['--tty'] : []),
    ...(options.keepControl ? ['--preserve-fds=1'] : []),
    ...Object.entries(extra).map(([name, value]) => `--env=${name}=${value}`),
    containerName(launch.attemptId, launch.rank),
    ...options.command,
  ];
  const outer = [
    `[ "$PPID" = ${process.pid} ] || exit 125`,
    ...(options.keepControl ? [] : ['echo solyx:ready >&3', 'exec 3>&-']),
    `exec ${options.terminal ? 'setsid --ctty ' : ''}${words.map(q).join(' ')} 4<&-`,
  ].join('\n');
  return {
    argv: [systemTool('setpriv'), '--pdeathsig', options.deathSignal ?? 'KILL', '/bin/sh', '-c', outer],
    env: engineEnvironment(),
    script: '',
    ownerUid: null,
    direct: true,
    mark: options.mark,
    relaysSignals: false,
  };
}
