/** What runs on this machine, by /proc: who belongs to which attempt, and who was started for the soak's home. */
import { readdirSync, readFileSync } from 'node:fs';
import { basename } from 'node:path';

export interface SeenProcess {
  readonly pid: number;
  readonly command: string;
  /** From the environment that every job gets; null for what is no job. */
  readonly attemptId: string | null;
}

/** Every living process that this user may look at. */
export function seeProcesses(): SeenProcess[] {
  return readdirSync('/proc')
    .filter((name) => /^\d+$/.test(name))
    .flatMap((name) => {
      const command = read(`/proc/${name}/cmdline`).replaceAll('\0', ' ').trim();
      // A zombie has neither; it runs no more.
      if (command === '') return [];
      const attemptId = /(?:^|\0)SOLYX_ATTEMPT_ID=([^\0]+)/.exec(read(`/proc/${name}/environ`))?.[1] ?? null;
      return [{ pid: Number(name), command, attemptId }];
    });
}

const runtimes = new Set(['runc', 'crun', 'podman', 'conmon', 'docker']);

/** Processes that run the container of an attempt, beside its supervisor: an OCI runtime, an engine, its monitor. */
export function runtimesOf(attemptId: string): number[] {
  return seeProcesses()
    .filter(({ command }) => command.includes(attemptId) && runtimes.has(basename(command.split(' ', 1)[0]!)))
    .map(({ pid }) => pid);
}

/** Shells that wait for the death of an attempt's supervisor, to end its container. */
export function guardiansOf(attemptId: string): number[] {
  return seeProcesses()
    .filter(({ command }) => command.includes(attemptId) && command.includes('read -r over <&3'))
    .map(({ pid }) => pid);
}

/** Children of a process. */
export function childrenOf(pid: number): number[] {
  return read(`/proc/${pid}/task/${pid}/children`).trim().split(/\s+/).filter(Boolean).map(Number);
}

export function isRunning(pid: number): boolean {
  const stat = read(`/proc/${pid}/stat`);
  return stat !== '' && stat.slice(stat.lastIndexOf(')') + 2, stat.lastIndexOf(')') + 3) !== 'Z';
}

function read(path: string): string {
  try {
    return readFileSync(path, 'latin1');
  } catch {
    return '';
  }
}
