export { holdBackAfterRestore } from './after-restore.ts';
export { type Decision, loadForUpdate, saveDecisions } from './attempt-rows.ts';
export { requestCancel } from './cancel.ts';
export { countJobs, type JobCounts, mostCounted } from './counts.ts';
export { awaitedJobs, decideDependents, missingJobs } from './dependencies.ts';
export { type AttemptEnd, endAttempt, expireQueued, jobAfter, retryPause } from './end-attempt.ts';
export { type InsertedJob, insertJob, type JobRequest, type NewJob, newJobRequest } from './insert.ts';
export { JobIntake } from './intake.ts';
export { attemptLedger } from './ledger.ts';
export { type PendingJobRow, readPendingJobs, recordVerdicts } from './pending.ts';
export { requestPreempt } from './preempt.ts';
export { type QueueView, readQueue } from './queue.ts';
export { getJob, type JobQuery, listAttempts, listJobs, listRanks } from './reads.ts';
export type { AttemptRow, JobRow, RankRow } from './rows.ts';
export { requestResume, requestSuspend } from './suspend.ts';
export {
  type AttemptDraft,
  markRunning,
  markStarting,
  markStopping,
  markUnknown,
  recoverFromUnknown,
} from './transitions.ts';
