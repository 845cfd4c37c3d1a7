/**
 * The shell scripts around `podman` and `docker`: one that starts a container and hands its output and status on, and one
 * that ends it when the supervisor is gone.
 */
import { join } from 'node:path';
import { shellQuote as q } from '../shell-quote.ts';
import { NOTES } from './engine-notes.ts';

/**
 * @param engine program and flags
 * @param create words of `create`
 * @param notes folder in which the runtime is noted down (`engine-notes.ts`); null: the engine is asked
 */
export function launcherScript(
  engine: readonly string[],
  create: readonly string[],
  name: string,
  supervisorPid: number,
  notes: string | null,
): string {
  const run = engine.map(q).join(' ');
  const inspect = (format: string) => `${run} inspect --format ${q(format)} ${q(name)} 2>/dev/null`;
  const note = (what: string) => q(join(notes ?? '', what));
  const look =
    notes === null
      ? `pid=$(${inspect('{{.State.Pid}}')})`
      : `pid=0; [ ! -e ${note(NOTES.started)} ] || { read -r since < ${note(NOTES.started)}; read -r pid < ${note(NOTES.pid)}; }`;
  return [
    // From here on errors are the supervisor's (3); the job's own stderr waits at 5.
    'exec 5>&2 2>&3',
    `[ "$PPID" = ${supervisorPid} ] || exit 125`,
    'rm -f engine.begun engine.over',
    `${run} ${create.map(q).join(' ')} >/dev/null 3>&- 5>&- || exit 125`,
    '(since=',
    'while',
    `  ${look}`,
    // Whoever ended all of it may have deleted the folder too, and then nobody can say that it is over.
    // biome-ignore lint/suspicious/noTemplateCurlyInString: a shell's parameter expansion
    '  [ "${pid:-0}" -le 0 ] && [ ! -e engine.over ] && [ -d "$PWD" ]',
    `do sleep ${notes === null ? '0.05' : '0.02'}; done`,
    // biome-ignore lint/suspicious/noTemplateCurlyInString: a shell's parameter expansion
    '[ "${pid:-0}" -le 0 ] || { echo "solyx:init $pid"; : > engine.begun; echo "solyx:ready${since:+ $since}"; }) >&3 5>&- &',
    // In a shell of its own: this one would tell of its death in the job's log.
    `(exec ${run} start --attach ${q(name)} </dev/null 2>&5 3>&- 5>&-)`,
    'code=$?',
    ': > engine.over',
    'wait',
    `state=$(${inspect('{{.State.Status}} {{.State.ExitCode}} {{.State.OOMKilled}} {{.State.Error}}')})`,
    'case "$state" in *" true "*) echo solyx:oom >&3;; esac',
    'lost() { echo solyx:lost >&3; }',
    'case "$state" in',
    // It was over before anybody could look.
    '  "exited $code "*|"stopped $code "*) [ -e engine.begun ] || echo solyx:ready >&3;;',
    // What handed on its output was killed: how the container fares is not told any more, or only half of what it said is known.
    '  running*|exited*|stopped*) lost;;',
    // Nobody can be asked. A death by a signal may be its own.
    '  "") [ "$code" -le 128 ] || lost;;',
    ...(notes === null ? [] : [`  *) [ ! -s ${note(NOTES.starting)} ] || [ -e engine.begun ] || lost;;`]),
    'esac',
    // Podman keeps no word of why. Making it ready without starting it fails in the same way, and runs nothing.
    'case "$state" in',
    '  running*|exited*|stopped*) ;;',
    `  *) [ -e engine.begun ] || { echo "the engine could not start the container: $state" >&3; ${run} init ${q(name)} 2>&3 >/dev/null; };;`,
    'esac',
    'exit $code',
  ].join('\n');
}

/**
 * Waits on descriptor 3 like every guardian: end of file instead of a second line means that the supervisor died.
 *
 * An engine takes a second to remove a container on a busy machine, and what the job does meanwhile nobody hears. So where its
 * first process was noted down that is killed at once, if it still is in the noted groups: a number may be another's by now.
 * @param remove words that end and remove the container whose name follows
 * @param notes as for the launcher
 */
export function guardianScript(
  remove: readonly string[],
  name: string,
  env: Readonly<Record<string, string>>,
  notes: string | null,
): string {
  const run = remove.map(q).join(' ');
  const note = (what: string) => q(join(notes ?? '', what));
  const killFirst = [
    `{ read -r pid < ${note(NOTES.pid)} && groups=$(cat ${note(NOTES.cgroup)})`,
    '[ -n "$groups" ] && [ "$groups" = "$(cat "/proc/$pid/cgroup")" ] && [ "$groups" != "$(cat /proc/self/cgroup)" ] && kill -9 "$pid"; } 2>/dev/null',
  ].join(' && ');
  return [
    ...Object.entries(env).map(([key, value]) => `export ${key}=${q(value)}`),
    'read -r job <&3; read -r over <&3 && exit 0',
    ...(notes === null ? [] : [killFirst]),
    'for round in 1 2 3; do',
    `  ${run} ${q(name)} >/dev/null 2>&1 && exit 0`,
    '  sleep 1',
    'done',
  ].join('\n');
}
