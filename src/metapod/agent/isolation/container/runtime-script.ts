/**
 * The shell scripts by which an OCI runtime (runc or crun) is run alone, in the order in which they run.
 *
 *   stage   the agent's user  a mount namespace; what the container may see is bound below one folder there
 *   user    "root"            a user namespace that maps the container's ids (an agent that is not root begins with one)
 *   inner   root inside       pid and mount namespaces; pid 1; then the runtime in the foreground, its exit status ours
 *
 * Why not the runtime's own namespaces: they end with the container's first process and not with us. Pid 1 here is a `cat`
 * on descriptor 3, whose other end only the supervisor holds: when the supervisor dies in any way, `cat` reads end of
 * file, pid 1 exits, and the kernel kills runtime, hooks and container alike (`sandbox-script.ts` has the same). The
 * image's own program is then no pid 1 either: signals reach it, and its orphans are reaped, without an init in the image.
 *
 * The runtime's hooks speak through named pipes: `created` waits until the supervisor has moved the container's process
 * into its cgroup, where it alone is counted, `started` says that the command runs. What the supervisor answers comes by
 * descriptor 3 and is handed on by pid 1. The container's description, which holds the job's environment, comes by
 * descriptor 4 and is written to memory only.
 */
import { sayReady } from '../say-ready.ts';
import { shellQuote as q } from '../shell-quote.ts';
import type { IdRange } from './id-range.ts';

export interface RuntimeScriptInput {
  readonly supervisorPid: number;
  /** Absolute path of runc or crun. */
  readonly runtime: string;
  /** Folder that everything is staged below; its own content is hidden from the launcher. */
  readonly stage: string;
  /** fstab lines that fill the stage. */
  readonly fstab: string;
  /** Folders to make below the stage, relative. */
  readonly folders: readonly string[];
  /** Null when the agent is not root. */
  readonly ids: IdRange | null;
  /** Groups of the host that own the job's devices, shown inside as `firstDeviceGroup`, +1, … */
  readonly deviceGroups: readonly number[];
  readonly containerId: string;
}

/** Inside, groups of the host that own devices begin here: beyond all ids of an image. */
export const firstDeviceGroup = 70_000;

export function stageScript(input: RuntimeScriptInput): string {
  const namespaces = input.ids === null ? '--user --map-root-user --mount' : '--mount';
  return [
    // From here on errors are the supervisor's (3); the job's own stderr waits at 5.
    'exec 5>&2 2>&3',
    `exec unshare ${namespaces} setpriv --pdeathsig KILL sh -c ${q(staged(input))}`,
  ].join('\n');
}

function staged(input: RuntimeScriptInput): string {
  const { stage, ids } = input;
  const s = q(stage);
  return [
    'set -e',
    'umask 022',
    `[ "$PPID" = ${input.supervisorPid} ] || exit 125`,
    `mount -t tmpfs -o mode=755,size=4m,nosuid,nodev tmpfs ${s}`,
    `cd ${s}`,
    `mkdir -m 755 ${input.folders.map(q).join(' ')}`,
    'mkfifo -m 600 up go map',
    ...(ids === null ? [] : [`chown ${ids.first}:${ids.first} state up go`]),
    '(umask 0022; cat <&4 > bundle/config.json)',
    `mount --all --fstab ${q(input.fstab)}`,
    ...(ids === null ? [`exec ${inNamespaces(input)}`] : userNamespace(input, ids)),
  ].join('\n');
}

/**
 * The map of a user namespace is written from outside, by somebody who knows that it exists: a holder says so. It goes
 * when the namespace is held by a descriptor, and in any case when descriptor 3 ends.
 */
function userNamespace(input: RuntimeScriptInput, ids: IdRange): string[] {
  const groups = input.deviceGroups.map((gid, index) => `${firstDeviceGroup + index} ${gid} 1`);
  const map = (lines: string[]) => q(`${lines.join('\n')}\n`);
  const range = `0 ${ids.first} ${ids.count}`;
  return [
    `unshare --user sh -c ${q('echo here; exec cat <&3 >/dev/null')} > map &`,
    'holder=$!',
    'read -r _ < map',
    `printf %s ${map([range])} > "/proc/$holder/uid_map"`,
    `printf %s ${map([range, ...groups])} > "/proc/$holder/gid_map"`,
    'exec 7< "/proc/$holder/ns/user"',
    'kill -9 "$holder"',
    `exec nsenter --user=/proc/self/fd/7 -S 0 -G 0 ${inNamespaces(input)}`,
  ];
}

function inNamespaces(input: RuntimeScriptInput): string {
  return `unshare --mount --pid sh -c ${q(inner(input))}`;
}

function inner({ stage, runtime, containerId }: RuntimeScriptInput): string {
  const s = q(stage);
  return [
    'exec 7<&-',
    `cd ${s} || exit 125`,
    '(if env --ignore-signal=CHLD true; then exec env --ignore-signal=CHLD cat; else cat <&0 & wait $!; fi) <&3 1<>go 2>/dev/null 3>&- 4<&- 5>&- &',
    'echo "solyx:init $!" >&3',
    'mount -t proc -o nosuid,nodev,noexec proc /proc || exit 125',
    // Held open for writing too, so that it does not end between two writers.
    'exec 6<> up',
    'cat <&6 >&3 4<&- 5>&- &',
    'relay=$!',
    `${q(runtime)} --root state --log state/log run --bundle bundle ${q(containerId)} </dev/null 2>&5 3>&- 4<&- 5>&- 6<&-`,
    'code=$?',
    // A runtime that ends by itself deletes its state; one that was killed says nothing of how the job fared.
    `[ "$code" -lt 128 ] || [ ! -d state/${q(containerId)} ] || echo solyx:lost >&3`,
    // Until the command ran, what the runtime complained of is why it did not.
    '[ -e state/started ] || sed -n \'s/^.*level=error msg="\\(.*\\)"$/\\1/p\' state/log | tail -n 1 >&3',
    // Our own child is for us to reap: the host's init may take its time, and pid 1 waits for it.
    '{ kill "$relay"; wait "$relay"; } 2>/dev/null',
    'exit $code',
  ].join('\n');
}

/** The hook that waits until the supervisor has taken the container's process over. It is told the state as JSON. */
export function createdHook(stage: string): string {
  const s = q(stage);
  return [
    'set -e',
    `cd ${s}`,
    // biome-ignore lint/suspicious/noTemplateCurlyInString: a shell's parameter expansion
    'state=$(cat); pid=${state#*\\"pid\\":}; pid=${pid%%[!0-9]*}',
    'echo "solyx:created $pid" > up',
    'read -r word < go',
    '[ "$word" = go ]',
  ].join('\n');
}

/** The hook that says that the command is the next thing to run. */
export function startedHook(stage: string): string {
  return `cat >/dev/null; cd ${q(stage)} && : > state/started && { ${sayReady('> up')}; }`;
}
