/**
 * What attempts may leave on a machine and must not, looked for where it would lie: containers of an engine, control groups,
 * mounts, secrets in memory, and what a pull left half done.
 */
import { execFileSync } from 'node:child_process';
import { readdirSync, readFileSync } from 'node:fs';
import { join } from 'node:path';
import { machineView, planCgroup } from '../../src/metapod/agent/isolation/cgroup-plan.ts';

/**
 * @param home folder of the product; every path of it stands below
 * @param agents data folders of the agents
 * @param attempts ids of all attempts
 * @param hasEngine whether podman ran some
 */
export function leftovers(
  home: string,
  agents: readonly string[],
  attempts: ReadonlySet<string>,
  hasEngine: boolean,
): string[] {
  const isOurs = (name: string) => attempts.has(/att_\w+/.exec(name)?.[0] ?? '');
  const bases = [...new Set(Object.values(planCgroup(machineView()).bases))];
  const mounts = readFileSync('/proc/self/mountinfo', 'utf8').split('\n');
  return [
    ...(hasEngine ? containers().filter(isOurs) : []).map((name) => `the container ${name}`),
    ...bases.flatMap((base) => namesIn(base).filter(isOurs)).map((name) => `the control group ${name}`),
    ...mounts.filter((line) => line.includes(home) || isOurs(line)).map((line) => `the mount ${line}`),
    ...namesIn('/dev/shm')
      .filter(isOurs)
      .map((name) => `/dev/shm/${name}`),
    ...agents.flatMap((folder) =>
      ['attempts', 'images/incoming'].flatMap((part) =>
        namesIn(join(folder, part)).map((name) => join(folder, part, name)),
      ),
    ),
  ].map((what) => `${what} was left behind`);
}

/** Names of all containers of podman, running or not. */
function containers(): string[] {
  return execFileSync('podman', ['ps', '--all', '--format', '{{.Names}}'], { encoding: 'utf8', timeout: 60_000 }).split(
    '\n',
  );
}

function namesIn(folder: string): string[] {
  try {
    return readdirSync(folder);
  } catch {
    return [];
  }
}
