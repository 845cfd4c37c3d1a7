/**
 * The shell scripts that build a sandbox, in the order in which they run.
 *
 *   outer   host      enters the cgroup, then `unshare`: user (unless root), mount, pid, ipc, uts, net, cgroup
 *   setup   "root"    starts pid 1, mounts, brings loopback up, pivots, forgets the old root
 *   final   uid 1000  a second user namespace that owns nothing: no capabilities, no new ones, no more namespaces
 *   job     uid 1000  sets the job's environment and becomes its command
 *
 * Why so: setup must run under an environment that the job cannot influence (PATH, LD_PRELOAD), so the job's
 * environment arrives last, by descriptor 4, and never on a command line that other users can read.
 * Pid 1 is a `cat` on descriptor 3, whose other end only the supervisor holds: when the supervisor dies in any
 * way, `cat` reads end of file, pid 1 exits, and the kernel kills every process in the namespace, double-forked
 * or not. It ignores SIGCHLD, so the kernel reaps orphans for it, and signals from inside cannot reach a pid 1.
 * `nsenter` (outside the namespace, the job's parent) hands the exact exit status on: unlike `unshare --fork` of
 * util-linux 2.38 it also passes a SIGKILL on.
 */
import type { Launch } from '../supervisor/files.ts';
import { INSIDE_UID } from './identity.ts';
import { INSIDE, type SandboxRoot } from './sandbox-root.ts';
import { sayReady } from './say-ready.ts';
import { shellQuote as q } from './shell-quote.ts';

export interface ScriptInput {
  supervisorPid: number;
  /** Uid on the host when the agent is root, else null. */
  hostUid: number | null;
  /** Groups that own the assigned device nodes; kept only by a root agent. */
  deviceGroups: number[];
  joinFiles: string[];
  /** Null when a cgroup holds the number of processes. */
  processLimit: number | null;
}

export function outerScript(launch: Launch, root: SandboxRoot, input: ScriptInput): string {
  const namespaces = ['--mount', '--ipc', '--uts', '--cgroup', '--pid'];
  if (input.hostUid === null) namespaces.unshift('--user', '--map-root-user');
  if (launch.network === 'none') namespaces.push('--net');
  return [
    // From here on errors are the supervisor's (3); the job's own stderr waits at 5.
    'exec 5>&2 2>&3',
    ...input.joinFiles.map((file) => `echo 0 > ${q(file)} || exit 125`),
    `exec unshare ${namespaces.join(' ')} setpriv --pdeathsig KILL sh -c ${q(setupScript(launch, root, input))}`,
  ].join('\n');
}

/**
 * Brings loopback up with whatever is there: `ip`, else sysfs (IFF_UP | IFF_LOOPBACK; only real root may write it),
 * else the same ioctl (SIOCSIFFLAGS on a struct ifreq) by perl or python, one of which a distribution always has.
 */
function loopback(root: string): string {
  const sys = `${root}/sys`;
  const perl = 'socket(S,2,2,0) or exit 1; $r=pack("a16sx22","lo",9); ioctl(S,0x8914,$r) or exit 1';
  const python = 'import fcntl,socket,struct; fcntl.ioctl(socket.socket(2,2),0x8914,struct.pack("16sh22x",b"lo",9))';
  return [
    'by_sysfs() {',
    `  mount -t sysfs -o nosuid,nodev,noexec sysfs ${q(sys)} || return 1`,
    `  done=0; (echo 0x9 > ${q(`${sys}/class/net/lo/flags`)}) || done=1`,
    `  umount ${q(sys)}; return $done`,
    '}',
    `{ ip link set lo up || by_sysfs || perl -e ${q(perl)} || python3 -c ${q(python)} || ifconfig lo up; } 2>/dev/null || echo solyx:no-loopback >&3`,
  ].join('\n');
}

function setupScript(launch: Launch, root: SandboxRoot, input: ScriptInput): string {
  const drop =
    input.hostUid === null
      ? ''
      : `setpriv --reuid ${input.hostUid} --regid ${input.hostUid} ${input.deviceGroups.length > 0 ? `--groups ${input.deviceGroups.join(',')}` : '--clear-groups'}`;
  return [
    'set -e',
    `[ "$PPID" = ${input.supervisorPid} ] || exit 125`,
    'cd /',
    '(if env --ignore-signal=CHLD true; then exec env --ignore-signal=CHLD cat; else cat <&0 & wait $!; fi) <&3 >/dev/null 2>&1 3>&- 4<&- 5>&- &',
    'echo "solyx:init $!" >&3',
    `mount --all --fstab ${q(root.fstab)}`,
    ...(launch.network === 'none' ? [loopback(root.directory)] : []),
    `cd ${q(root.directory)}`,
    'pivot_root . .',
    'umount -l .',
    'cd /',
    `exec nsenter --target 1 --pid ${drop} unshare --user --map-user=${INSIDE_UID} --map-group=${INSIDE_UID} --keep-caps sh -c ${q(finalScript(input))}`,
  ].join('\n');
}

function finalScript(input: ScriptInput): string {
  const limit = input.processLimit;
  return [
    'echo 0 > /proc/sys/user/max_user_namespaces',
    'echo 500 > /proc/self/oom_score_adj',
    'ulimit -c 0',
    // dash and busybox call the number of processes -p, bash -u (where -p is something that cannot be set).
    ...(limit === null ? [] : [`ulimit -p ${limit} 2>/dev/null || ulimit -u ${limit} || exit 125`]),
    `exec setsid setpriv --no-new-privs --bounding-set -all --inh-caps -all --ambient-caps -all sh -s <&4`,
  ].join('\n');
}

/** The last step, sent by descriptor 4. @param before lines that come first, under the trusted environment */
export function jobScript(
  env: Record<string, string>,
  command: readonly string[],
  before: readonly string[] = [],
): string {
  const [program = ''] = command;
  return [
    ...before,
    ...Object.entries(env).map(([name, value]) => `export ${name}=${q(value)}`),
    `cd ${INSIDE.work}`,
    `command -v ${q(program)} >/dev/null || { echo ${q(`command not found: ${program}`)} >&3; exit 127; }`,
    sayReady('>&3'),
    `exec ${command.map(q).join(' ')} </dev/null 2>&5 3>&- 4<&- 5>&-`,
    '',
  ].join('\n');
}
