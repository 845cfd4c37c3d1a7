/** Rows of the job tables as they come from the driver, and what of them others may see. */
import type { StoredExplanation } from '../../common/contract/explanation.ts';
import type { JobSpec } from '../../common/contract/job-spec.ts';
import type { AttemptOutcome, AttemptState } from '../../common/contract/states/attempt.ts';
import type { JobState, PendingReason, StopReason } from '../../common/contract/states/job.ts';

export interface JobRow {
  id: string;
  tenant: string;
  project: string;
  name: string;
  state: JobState;
  pending_reason: PendingReason | null;
  pending_detail: { message: string; rejections?: Record<string, number>; expectedAt?: string; ahead?: number } | null;
  deferred_until: Date | null;
  queue_deadline: Date | null;
  stop_reason: StopReason | null;
  cancel_requested_at: Date | null;
  contact_lost_since: Date | null;
  priority: number;
  /** Unmet dependencies; no scheduler sees it before this is 0. */
  waits_for: number;
  spec: JobSpec;
  array_id: string | null;
  array_index: number | null;
  newest_token: bigint;
  attempt_count: number;
  retries_used: Partial<Record<AttemptOutcome, number>>;
  checkpoint_hash: string | null;
  checkpoint_token: bigint | null;
  checkpoint_at: Date | null;
  exit_code: number | null;
  reason: string | null;
  submitted_by: string;
  submitted_at: Date;
  started_at: Date | null;
  ended_at: Date | null;
  revision: bigint;
}

export interface AttemptRow {
  id: string;
  tenant: string;
  job_id: string;
  number: number;
  token: bigint;
  state: AttemptState;
  state_before_unknown: 'placed' | 'starting' | 'running' | 'stopping' | null;
  outcome: AttemptOutcome | null;
  backend: string;
  site_id: string;
  /** Read it through `explanationOf`. */
  explanation: StoredExplanation;
  stop_reason: StopReason | null;
  unknown_since: Date | null;
  exit_code: number | null;
  signal: string | null;
  message: string | null;
  placed_at: Date;
  starting_at: Date | null;
  running_at: Date | null;
  ended_at: Date | null;
  revision: bigint;
}

export interface RankRow {
  attempt_id: string;
  tenant: string;
  rank: number;
  node_id: string;
  state: 'placed' | 'starting' | 'running' | 'ended';
  reason: string | null;
  exit_code: number | null;
  signal: string | null;
  message: string | null;
  started_at: Date | null;
  ended_at: Date | null;
}
