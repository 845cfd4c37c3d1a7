/** The scheduler's face: the running loop, dry runs, replay, and the pure function that all of them call. */

export { type AccountView, listAccounts } from './accounts/account-reads.ts';
export { type AccountSettings, readAccounts, removeAccount, setAccount } from './accounts/account-rows.ts';
export type { BudgetSetting } from './accounts/budget-rows.ts';
export {
  type MovableJob,
  type Move,
  type MoveLimits,
  type MovePlan,
  planMoves,
} from './core/defragment/plan-moves.ts';
export { PendingQueue } from './core/pending-queue.ts';
export { checkPolicy, defaultPolicy, InvalidPolicyError } from './core/policy.ts';
export type { DeviceRow, FleetDelta, NodeRow, SiteRow } from './core/rows.ts';
export { planRound, type RoundOutcome, schedule } from './core/schedule.ts';
export { isolationUsed, shapeOf } from './core/shape.ts';
export { checkAccounts, InvalidAccountsError } from './core/shares/check-accounts.ts';
export type { PendingJob, Policy, Shape, Snapshot } from './core/snapshot.ts';
export type { ProposedMoves } from './moves.ts';
export { createPreview, type PreviewAnswer } from './preview.ts';
export { type Replay, replayRound } from './record/replay.ts';
export { SchedulerThread, type SchedulerThreadOptions } from './scheduler-thread.ts';
export { schedulerPolicy, schedulerSettings } from './settings.ts';
export { SnapshotStore } from './state/snapshot-store.ts';
export { type SchedulerOptions, WorkloadScheduler } from './workload-scheduler.ts';
/** The simulator (`simulation/`), loaded when it is asked for: servers do without it. */
export const loadSimulator = () => import('./simulation/index.ts');
