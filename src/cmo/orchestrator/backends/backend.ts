/**
 * What executes work: one interface for agents, the simulator and, later, Kubernetes, Ray and Slurm.
 *
 * The orchestrator is level-triggered: it may call anything again after a crash. So `submit` is idempotent on the
 * attempt's id, `cancel` may be repeated, and `observe` tells what is, not what changed. A backend that cannot be asked
 * answers `unknown`, never a guess. Abilities are declared in `capabilities`; nobody tests for a backend's name.
 */
import type { JobSpec } from '../../../common/contract/job-spec.ts';
import type { RankPlacement } from '../../../common/contract/plan.ts';
import type { Transaction } from '../../../common/database/queryable.ts';

export type BackendId = 'agent' | 'simulator' | 'kubernetes' | 'ray' | 'slurm';

export interface BackendCapabilities {
  readonly gangs: boolean;
  readonly logs: 'push' | 'poll' | 'none';
  /** Refuses old fencing tokens and ends work by itself after losing contact (contracts §3). */
  readonly selfFencing: boolean;
  readonly checkpoints: boolean;
}

/** One attempt as a backend sees it. */
export interface AttemptToRun {
  readonly attemptId: string;
  readonly jobId: string;
  readonly tenant: string;
  /** Attempt number of the job, from 1. */
  readonly number: number;
  readonly token: bigint;
  readonly spec: JobSpec;
  readonly arrayIndex: number | null;
  readonly ranks: readonly (RankPlacement & { readonly rank: number })[];
  /** Manifest of the newest fenced checkpoint, to start from. */
  readonly checkpointHash: string | null;
}

/** Why a rank's process ended. */
export type RankEnd =
  | 'exited'
  | 'signalled'
  | 'out-of-memory'
  | 'timed-out'
  | 'stopped'
  | 'disconnected'
  | 'disk-exceeded'
  | 'start-failed'
  | 'supervisor-lost'
  | 'never-started';

export interface RankObservation {
  readonly attemptId: string;
  readonly token: bigint;
  readonly rank: number;
  readonly state: 'starting' | 'running' | 'ended' | 'unknown';
  readonly end?: {
    readonly reason: RankEnd;
    readonly exitCode: number | null;
    readonly signal: string | null;
    readonly message: string | null;
    /** With `start-failed`: no further try will end otherwise. */
    readonly permanent?: boolean | undefined;
  };
  /** As the backend's clock says; bounded by ours when it is recorded. */
  readonly startedAt?: Date;
  readonly endedAt?: Date;
  /** How long it ran by a clock that nobody sets, seconds ≥ 0; with `ended`. */
  readonly ranSeconds?: number;
  readonly usage?: {
    readonly cpuSeconds: number;
    readonly peakMemoryBytes: number;
    readonly energyJoules: number;
    readonly energySource: 'measured' | 'modelled';
  };
}

export type SubmitResult = { readonly kind: 'accepted' } | { readonly kind: 'refused'; readonly reason: string };

/** Something new was seen of an attempt; `items` are the backend's own numbers of what it was. */
export interface Change {
  readonly attemptId: string;
  readonly items: readonly bigint[];
}

/** What names an attempt to a backend. A token that is not the attempt's own has no effect. */
export interface AttemptRef {
  readonly attemptId: string;
  readonly token: bigint;
}

/** Where its ranks are, in rank order; empty when nobody knows. */
export interface AttemptToStop extends AttemptRef {
  readonly jobId: string;
  readonly nodeIds: readonly string[];
}

export interface Backend {
  readonly id: BackendId;
  readonly capabilities: BackendCapabilities;
  /** Whether the backend can be reached now. */
  probe(): Promise<{ readonly ok: boolean; readonly detail: string }>;
  /** Starts an attempt, or finds that it was started; intent is written before anything outside happens. */
  submit(attempt: AttemptToRun): Promise<SubmitResult>;
  /** As `submit`, for backends that take many at the cost of one; all are accepted, or it throws and none of them counts as told. */
  submitAll?(attempts: readonly AttemptToRun[]): Promise<void>;
  /** What is known of these attempts now; ranks that were never heard of are left out. */
  observe(attemptIds: readonly string[]): Promise<readonly RankObservation[]>;
  /** Attempts of which something new was seen since it was settled; at most `limit` news. */
  changed(limit: number): Promise<readonly Change[]>;
  /** These news, and no others, were dealt with. Lost when the process dies before: then they come again. */
  settle(changes: readonly Change[]): Promise<void>;
  /**
   * Asks all ranks to stop: SIGTERM, and after the grace SIGKILL. Repeatable. A rank whose start never came is reported as ended
   * (`never-started`) and cannot start any more: the caller may have died before it was sent, or it may still be on its way.
   */
  cancel(attempt: AttemptToStop, why: string, graceSeconds: number): Promise<void>;
  /** Lets the backend forget an attempt whose end is recorded, and end what still runs of it. Repeatable. */
  forget(attempt: AttemptRef): Promise<void>;
  /** As `forget`, for backends that are told of many at the cost of one. */
  forgetAll?(attempts: readonly AttemptRef[]): Promise<void>;
  /** Attempts that run under our tag, whatever we remember; for the sweeper that ends orphans. */
  recover(): Promise<readonly AttemptRef[]>;
  /**
   * For backends whose commands are rows: takes back, in the transaction that ends attempts, what was not delivered yet. A
   * start that is delivered afterwards would run beside the attempt's successor.
   */
  withdraw?(tx: Transaction, attemptIds: readonly string[]): Promise<void>;
  /**
   * Throws away what is kept of forgotten attempts.
   * @param limit most ranks, > 0
   * @param thorough also looks for what nobody will ever acknowledge; every few minutes is enough
   * @returns whether there may be more
   */
  tidy?(limit: number, thorough: boolean): Promise<boolean>;
}
