/**
 * How the soak gets a process to each failpoint: one line per place, so that a failpoint that somebody adds does not compile
 * before somebody has said who comes there.
 *
 * Most places lie on the way of every job. Others need a job of a kind, or something besides jobs: a visitor who opens a channel
 * into a running job, a node that says hello, a container that nobody holds.
 */
import type { FailpointName } from '../../src/common/failpoints.ts';
import type { JobKind } from './jobs.ts';

/** What leads to a place beside jobs. */
export type Push = 'visit' | 'hello' | 'orphan';

export interface Place {
  /** Jobs that are submitted again and again until somebody came. */
  readonly jobs: readonly JobKind[];
  readonly push?: Push;
  /** Of containers: null where no driver matters, else the driver that a node must have. */
  readonly needs?: 'container' | 'engine';
}

const usual: Place = { jobs: ['sleep'] };
const saving: Place = { jobs: ['resumes', 'resumes'] };
const visited: Place = { jobs: ['long'], push: 'visit' };
const pulled: Place = { jobs: ['fresh', 'fresh'], needs: 'container' };

export const places: Readonly<Record<FailpointName, Place>> = {
  'api.before-commit': usual,
  'api.after-commit': usual,
  'api.after-channel': visited,
  'scheduler.before-commit': usual,
  'scheduler.after-commit': usual,
  'orchestrator.before-settle': usual,
  'orchestrator.before-step': usual,
  'orchestrator.before-commit': usual,
  'orchestrator.after-step': usual,
  'orchestrator.before-submit': usual,
  'orchestrator.after-submit': usual,
  'orchestrator.before-cancel': { jobs: ['cancelled', 'cancelled'] },
  'orchestrator.before-forgotten': usual,
  'gateway.before-session': { ...usual, push: 'hello' },
  'gateway.after-heartbeats': usual,
  'gateway.before-command': usual,
  'gateway.after-channel-claim': visited,
  'gateway.before-reports': usual,
  'gateway.after-reports': usual,
  'gateway.before-logs': usual,
  'gateway.after-logs': usual,
  'gateway.before-metrics': { jobs: ['measures'] },
  'gateway.after-metrics': { jobs: ['measures'] },
  'gateway.after-blob': saving,
  'gateway.before-manifest-commit': saving,
  'gateway.after-manifest-commit': saving,
  'agent.before-intent': usual,
  'agent.after-intent': usual,
  'agent.before-supervisor': usual,
  'agent.after-supervisor': usual,
  'agent.after-spare': usual,
  'agent.before-spare-task': usual,
  'spare.before-claim': usual,
  'agent.after-journal': usual,
  'agent.before-final-checkpoint': usual,
  'agent.before-ended-report': usual,
  'agent.after-ended-report': usual,
  'agent.before-journal-ack': usual,
  'agent.after-exec': visited,
  'agent.before-forget': usual,
  'supervisor.before-spawn': usual,
  'supervisor.after-spawn': usual,
  'supervisor.before-status-running': usual,
  'supervisor.before-status-ended': usual,
  'supervisor.after-status-ended': usual,
  'allocator.before-commit': usual,
  'allocator.after-commit': usual,
  'image.before-pull': pulled,
  'image.before-unpack': pulled,
  'image.before-commit': pulled,
  'image.before-delete': { ...pulled, jobs: ['fresh', 'fresh', 'fresh', 'fresh'] },
  'container.before-enter': { jobs: ['boxed', 'boxed'], needs: 'container' },
  'container.after-enter': { jobs: ['boxed', 'boxed'], needs: 'container' },
  'container.before-sweep': { jobs: ['boxed-gang'], push: 'orphan', needs: 'engine' },
};

/** What containers are run with, by node; null where none are. */
export interface Drivers {
  readonly first: 'runtime' | 'podman' | null;
  readonly second: 'runtime' | 'podman' | null;
}

/** Whether a place can be reached with these drivers: only an OCI runtime alone has processes that are entered. */
export function isWithinReach(name: FailpointName, { first, second }: Drivers): boolean {
  const { needs } = places[name];
  if (needs === undefined) return true;
  if (needs === 'engine') return first === 'podman' || second === 'podman';
  const isOfRuntime = name.startsWith('container.');
  return isOfRuntime ? first === 'runtime' || second === 'runtime' : first !== null;
}
