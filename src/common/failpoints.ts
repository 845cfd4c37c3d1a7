/**
 * Named places where a test may kill the process with SIGKILL.
 *
 * "Nothing is lost when a process is killed at any line" can only be tested when the interesting lines can be
 * hit on purpose. `SOLYX_FAILPOINTS=supervisor.before-spawn:1,…` kills the process at the n-th hit of that
 * place. Without the variable a failpoint costs one comparison. A name that is not in the list is refused, so
 * that a test which waits for a renamed failpoint fails at once instead of proving nothing.
 *
 * A count is of one process and fixed at its start. `SOLYX_FAILPOINTS=/folder` instead arms a place at any time for whichever
 * process comes there first: a file named like the place. That process renames it to `<place>.fired.<pid>`, which only one
 * can, and dies.
 */
import { renameSync } from 'node:fs';
import { join } from 'node:path';

export const FAILPOINTS = [
  /** A job is about to be written; nothing of it is durable. */
  'api.before-commit',
  /** The job is durable; the client was not answered. */
  'api.after-commit',
  /** A channel into a job is intended and audited; its node was not told. */
  'api.after-channel',
  /** A plan exists; nothing of it is committed. */
  'scheduler.before-commit',
  /** Allocations and attempts are committed; nobody was woken. */
  'scheduler.after-commit',
  /** Attempts that a backend has news of are due; the backend was not told that its news were taken. */
  'orchestrator.before-settle',
  /** The backend was asked; what it said is not recorded. */
  'orchestrator.before-step',
  /** A step of an attempt is written, with usage, allocation and events; its transaction is not committed. */
  'orchestrator.before-commit',
  /** A step of an attempt is committed; what follows it was not done. */
  'orchestrator.after-step',
  /** The attempt is `starting`; its backend was not told. */
  'orchestrator.before-submit',
  /** The backend was told to start the attempt. */
  'orchestrator.after-submit',
  /** The attempt is `stopping`; its backend was not told. */
  'orchestrator.before-cancel',
  /** The backend was told to forget what has ended; that it was told is not recorded. */
  'orchestrator.before-forgotten',
  /** A node said hello; its session is not recorded. */
  'gateway.before-session',
  /** Heartbeats are recorded; the nodes were not told. */
  'gateway.after-heartbeats',
  /** A command is about to be sent to its node. */
  'gateway.before-command',
  /** A node came for a channel and it is its own now; it was not connected. */
  'gateway.after-channel-claim',
  /** Reports came in; none is recorded. */
  'gateway.before-reports',
  /** Reports are recorded; the node was not told. */
  'gateway.after-reports',
  /** Log lines came in; none is recorded. */
  'gateway.before-logs',
  /** Log lines are recorded; the node was not told. */
  'gateway.after-logs',
  /** A batch of metrics is here and not written. */
  'gateway.before-metrics',
  /** It is committed, and the agent does not know. */
  'gateway.after-metrics',
  /** The bytes of a blob are stored; its owner is not recorded. */
  'gateway.after-blob',
  /** A manifest is complete; it does not count yet. */
  'gateway.before-manifest-commit',
  /** A checkpoint or artefacts count; the node was not told. */
  'gateway.after-manifest-commit',
  /** A start command came in; nothing of it is on disk. */
  'agent.before-intent',
  /** The intent to start is on disk; the command is not acknowledged. */
  'agent.after-intent',
  /** The bundle is unpacked and the launch written; no supervisor was started. */
  'agent.before-supervisor',
  /** A supervisor was started; the agent has not looked at it. */
  'agent.after-supervisor',
  /** A spare supervisor was started; it has no attempt. */
  'agent.after-spare',
  /** What a spare supervisor said is in the attempt's folder; the spare was not told of the attempt. */
  'agent.before-spare-task',
  /** A spare supervisor was given an attempt; it has not claimed it. */
  'spare.before-claim',
  /** A report is in the journal; that it was made is not recorded beside the attempt. */
  'agent.after-journal',
  /** The job ended; its last checkpoint is not committed. */
  'agent.before-final-checkpoint',
  /** The last checkpoint is committed; the end is not in the journal. */
  'agent.before-ended-report',
  /** The end is in the journal and on its way. */
  'agent.after-ended-report',
  /** The server has the reports; the journal still holds them. */
  'agent.before-journal-ack',
  /** A command was started in a running job for somebody; nothing of it was told. */
  'agent.after-exec',
  /** A forgotten attempt is about to be deleted. */
  'agent.before-forget',
  /** The supervisor owns the attempt (claim written); the job's process does not exist yet. */
  'supervisor.before-spawn',
  /** The job's first process exists; no status names it yet. */
  'supervisor.after-spawn',
  /** The job's command runs; `status.json` still says `starting`. */
  'supervisor.before-status-running',
  /** The job and all its descendants are gone and its log is written; the end is not recorded yet. */
  'supervisor.before-status-ended',
  /** The end is recorded; leftovers (cgroup, root skeleton) are not removed yet. */
  'supervisor.after-status-ended',
  /** A chunk of a plan is written: attempts, allocations, counters; its transaction is not committed yet. */
  'allocator.before-commit',
  /** A chunk is committed; the scheduler does not know it yet, and later chunks are not begun. */
  'allocator.after-commit',
] as const;

/** Places that only jobs with an image come to: apart, because a node need not offer containers. */
export const CONTAINER_FAILPOINTS = [
  /** An image is wanted; nothing of it is here. */
  'image.before-pull',
  /** The parts of an image are here; nothing is unpacked. */
  'image.before-unpack',
  /** An image is unpacked; it does not count yet. */
  'image.before-commit',
  /** An image is about to be deleted to make room. */
  'image.before-delete',
  /** The container exists and waits; its process is not in its cgroup yet. */
  'container.before-enter',
  /** The container's process is in its cgroup; it was not told to go on. */
  'container.after-enter',
  /** Leftovers of containers were found; none is ended yet. */
  'container.before-sweep',
] as const;

export type FailpointName = (typeof FAILPOINTS)[number] | (typeof CONTAINER_FAILPOINTS)[number];

let armed: Map<string, number> | string | null | undefined;

/**
 * Kills this process with SIGKILL if the place is armed and this is its n-th hit.
 * @throws Error when SOLYX_FAILPOINTS names an unknown place or a count that is no positive integer
 */
export function failpoint(name: FailpointName): void {
  if (armed === undefined) armed = readArmed(process.env.SOLYX_FAILPOINTS);
  if (armed === null) return;
  if (typeof armed === 'string') {
    if (takeArmed(armed, name)) process.kill(process.pid, 'SIGKILL');
    return;
  }
  const left = armed.get(name);
  if (left === undefined) return;
  if (left <= 1) process.kill(process.pid, 'SIGKILL');
  armed.set(name, left - 1);
}

const readArmed = (text: string | undefined) => (text?.startsWith('/') ? text : parseFailpoints(text));

/** Takes the file that arms a place; of all processes that try, one succeeds. */
function takeArmed(folder: string, name: FailpointName): boolean {
  try {
    renameSync(join(folder, name), join(folder, `${name}.fired.${process.pid}`));
    return true;
  } catch {
    return false;
  }
}

/** Reads `name:count,name:count` (count defaults to 1); null when nothing is armed. */
export function parseFailpoints(text: string | undefined): Map<string, number> | null {
  if (text === undefined || text === '') return null;
  const places = new Map<string, number>();
  for (const part of text.split(',')) {
    const [name = '', count = '1'] = part.trim().split(':');
    if (![...FAILPOINTS, ...CONTAINER_FAILPOINTS].some((known) => known === name))
      throw new Error(`unknown failpoint "${name}"`);
    if (!/^[1-9]\d*$/.test(count)) throw new Error(`failpoint "${name}": "${count}" is not a positive count`);
    places.set(name, Number(count));
  }
  return places;
}
