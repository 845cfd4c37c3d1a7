/**
 * Isolation `process`: no isolation. The job runs as the agent's own user and can read what the agent can.
 *
 * Only for machines whose operator allowed it. It gives a clean environment, limits by cgroup or watchdog, and
 * a session of the job's own. Its limit is stated: a descendant that starts a new session and clears its
 * environment leaves our sight unless there is a cgroup. Without one, the job's processes are found by session
 * and by the attempt's id in their environment (the trick by which build servers find strays).
 */
import { mkdirSync, readFileSync } from 'node:fs';
import { dirname, join } from 'node:path';
import type { Launch } from '../supervisor/files.ts';
import { readStat } from '../supervisor/process-identity.ts';
import type { JobSecrets } from '../supervisor/secret-input.ts';
import { type Cgroup, cgroupPids, joinFiles, removeCgroup } from './cgroup.ts';
import { makeDirectories } from './directories.ts';
import { jobCommand, jobEnvironment, systemTool } from './environment.ts';
import type { Prepared } from './isolation.ts';
import { sayReady } from './say-ready.ts';
import { removeSecretFiles, secretsDirectory, writeSecretFiles } from './secret-files.ts';
import { shellQuote } from './shell-quote.ts';
import { listPids, type ProcessSet } from './watchdog.ts';

export function prepareProcess(dir: string, launch: Launch, cgroup: Cgroup | null, secrets: JobSecrets): Prepared {
  if (launch.network === 'none')
    throw new Error('isolation "process" cannot take the network away; ask for "sandbox" or network "host"');
  const directories = makeDirectories(dir, launch, null);
  const temporary = join(dir, 'tmp');
  mkdirSync(temporary, { recursive: true, mode: 0o700 });
  const env = jobEnvironment(launch, {
    home: directories.work,
    temporary,
    artifacts: directories.artifacts,
    metricsFile: join(directories.metrics, 'metrics.ndjson'),
    checkpoint: launch.checkpoint?.dir ?? null,
    previousCheckpoint: launch.checkpoint?.previousDir ?? null,
    nodeDirectory: dirname(launch.nodeBinary),
  });
  const inMemory = secrets.files.length > 0 ? secretsDirectory(launch.attemptId, launch.rank) : null;
  if (inMemory !== null) writeSecretFiles(inMemory, secrets.files);
  const joins = cgroup === null ? [] : joinFiles(cgroup);
  const start = [
    // pdeathsig was set after the fork: if the supervisor died before that, nobody would tell us.
    `[ "$PPID" = ${process.pid} ] || exit 125`,
    ...joins.map((file) => `echo 0 > ${shellQuote(file)} || { echo "cannot enter the cgroup" >&3; exit 125; }`),
    'echo 500 > /proc/self/oom_score_adj 2>/dev/null',
    'command -v "$1" >/dev/null || { echo "command not found: $1" >&3; exit 127; }',
    sayReady('>&3'),
    'exec "$@" 3>&-',
  ].join('\n');
  return {
    argv: [
      systemTool('setpriv'),
      '--pdeathsig',
      'KILL',
      systemTool('prlimit'),
      '--core=0:0',
      '/bin/sh',
      '-c',
      start,
      'sh',
      ...jobCommand(launch),
    ],
    env: { ...env, ...secrets.env, ...(inMemory !== null && { SOLYX_SECRETS_DIR: inMemory }) },
    cwd: directories.work,
    script: null,
    ownerUid: null,
    guardian: guardianScript(launch.attemptId, joins, inMemory),
    direct: true,
    cgroup,
    enforcement: {
      memory: cgroup === null ? 'watchdog' : 'cgroup',
      cpu: cgroup?.directories.cpu === undefined ? 'none' : 'cgroup',
      pids: cgroup?.directories.pids === undefined ? 'none' : 'cgroup',
      disk: 'watchdog',
    },
    writable: directories.counted,
    processes: (mainPid) => processesOf(launch.attemptId, mainPid, cgroup),
    cleanup() {
      if (inMemory !== null) removeSecretFiles(inMemory);
      if (cgroup !== null) removeCgroup(cgroup);
    },
  };
}

/**
 * Waits on descriptor 3: first line the job's pid, second line "all is over". End of file instead of a line
 * means that the supervisor died, and then everything of the job is killed, thrice, against forks in between, and its
 * secrets are deleted from memory.
 */
function guardianScript(attemptId: string, procsFiles: string[], secrets: string | null): string {
  const mark = shellQuote(`SOLYX_ATTEMPT_ID=${attemptId}`);
  return [
    'read -r job <&3; read -r over <&3 && exit 0',
    'for round in 1 2 3; do',
    '  [ -n "$job" ] && kill -9 "-$job" 2>/dev/null',
    ...procsFiles.map(
      (file) => `  while read -r p; do kill -9 "$p" 2>/dev/null; done < ${shellQuote(file)} 2>/dev/null`,
    ),
    `  for f in $(grep -lzxF ${mark} /proc/[0-9]*/environ 2>/dev/null); do`,
    // biome-ignore lint/suspicious/noTemplateCurlyInString: a shell's parameter expansion
    '    p=${f#/proc/}; kill -9 "${p%/environ}" 2>/dev/null',
    '  done',
    'done',
    ...(secrets === null ? [] : [`rm -rf ${shellQuote(secrets)}`]),
  ].join('\n');
}

/** Everything that belongs to an attempt of isolation `process`. @param mainPid leader of its session; 0 when unknown */
export function processesOf(attemptId: string, mainPid: number, cgroup: Cgroup | null): ProcessSet {
  const mark = `SOLYX_ATTEMPT_ID=${attemptId}`;
  // A mark is looked up once per process: start time tells a reused number apart.
  const known = new Map<string, boolean>();
  const marked = (pid: number, start: string) => {
    const key = `${pid}:${start}`;
    let answer = known.get(key);
    if (answer !== true) {
      answer = environOf(pid).includes(mark);
      known.set(key, answer);
    }
    return answer;
  };
  return {
    procRoot: '/proc',
    memoryMounts: [],
    pids() {
      if (cgroup !== null) return cgroupPids(cgroup);
      return listPids('/proc').filter((pid) => {
        const stat = readStat(pid);
        if (stat === null || stat.state === 'Z') return false;
        return (mainPid > 0 && stat.session === mainPid) || marked(pid, stat.start);
      });
    },
  };
}

function environOf(pid: number): string[] {
  try {
    return readFileSync(`/proc/${pid}/environ`, 'utf8').split('\0');
  } catch {
    return [];
  }
}
