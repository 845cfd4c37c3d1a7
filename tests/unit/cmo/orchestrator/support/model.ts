/**
 * The orchestrator without a database: rows in memory, moved by the same rules (`nextStep`, `mergeRank`, `foldReports`, `jobAfter`,
 * the transition tables), for properties over arbitrary histories.
 */
import type { AttemptRow, JobRow, RankRow } from '../../../../../src/cmo/jobs/index.ts';
import { jobAfter } from '../../../../../src/cmo/jobs/index.ts';
import type { RankObservation } from '../../../../../src/cmo/orchestrator/backends/backend.ts';
import { mergeRank } from '../../../../../src/cmo/orchestrator/merge-rank.ts';
import {
  type AttemptView,
  type NodeContact,
  nextStep,
  type RankView,
  type Step,
} from '../../../../../src/cmo/orchestrator/reconcile.ts';
import { canAttemptBecome } from '../../../../../src/common/contract/states/attempt.ts';
import { canJobBecome, type JobState } from '../../../../../src/common/contract/states/job.ts';

export const epoch = Date.parse('2026-01-01T00:00:00Z');
export const at = (seconds: number): Date => new Date(epoch + seconds * 1000);
type OnDisconnect = AttemptView['job']['spec']['onDisconnect'];

export function rankRow(rank: number, over: Partial<RankRow> = {}): RankRow {
  return {
    attempt_id: 'att',
    tenant: 'ten',
    rank,
    node_id: `node-${rank}`,
    state: 'placed',
    reason: null,
    exit_code: null,
    signal: null,
    message: null,
    started_at: null,
    ended_at: null,
    ...over,
  };
}

export interface ViewOver {
  readonly state?: AttemptRow['state'];
  readonly before?: AttemptRow['state_before_unknown'];
  readonly job?: JobState;
  readonly why?: JobRow['stop_reason'];
  readonly onDisconnect?: OnDisconnect;
  readonly ranks?: readonly RankView[];
  /** Presence and last heartbeat (seconds after the epoch) by rank; others are ready. */
  readonly contact?: Readonly<Record<number, [NodeContact['presence'], number | null]>>;
  readonly selfFencing?: boolean;
}

/** A view of an attempt that was placed at 0 s and handed over at 1 s. */
export function view(over: ViewOver = {}): AttemptView {
  const ranks = over.ranks ?? [rankRow(0)];
  const state = over.state ?? 'placed';
  return {
    attempt: {
      state,
      state_before_unknown: over.before ?? (state === 'unknown' ? 'running' : null),
      stop_reason: null,
      placed_at: at(0),
      starting_at: state === 'placed' ? null : at(1),
    },
    job: {
      state: over.job ?? 'starting',
      stop_reason: over.why ?? null,
      spec: { onDisconnect: over.onDisconnect ?? { stopAfter: 600 } },
    },
    ranks,
    contact: new Map(
      ranks.map(({ rank, node_id }) => {
        const [presence, heard] = over.contact?.[rank] ?? ['ready', 0];
        return [node_id, { presence, lastAckedAt: heard === null ? null : at(heard) }];
      }),
    ),
    selfFencing: over.selfFencing ?? true,
  };
}

export interface Ended {
  readonly step: Extract<Step, { kind: 'end' }>;
  readonly seen: AttemptView;
  readonly job: JobState;
}

/** One attempt that lives by the rules. Throws on an illegal transition, and when it goes in circles. */
export class ModelAttempt {
  now = 1;
  ranks: RankRow[];
  ended: Ended | undefined;
  readonly steps: string[] = [];
  readonly contact = new Map<string, NodeContact>();
  #attempt: AttemptView['attempt'] = { ...view().attempt };
  #job: AttemptView['job'];

  constructor(rankCount: number, onDisconnect: OnDisconnect) {
    this.ranks = Array.from({ length: rankCount }, (_, rank) => rankRow(rank));
    this.#job = { state: 'starting', stop_reason: null, spec: { onDisconnect } };
    for (const { node_id } of this.ranks) this.contact.set(node_id, { presence: 'ready', lastAckedAt: at(0) });
  }

  get state(): string {
    return this.ended ? 'ended' : this.#attempt.state;
  }

  cancel(): void {
    if (this.ended || this.#job.state === 'stopping') return;
    this.#moveJob('stopping');
    this.#job = { ...this.#job, stop_reason: 'cancel' };
  }

  hear(observations: readonly RankObservation[]): void {
    if (this.ended) return;
    const bounds = { since: this.#attempt.starting_at ?? at(0), now: at(this.now) };
    this.ranks = this.ranks.map((rank) => {
      const seen = observations.find((observation) => observation.rank === rank.rank);
      return seen ? mergeRank(rank, seen, bounds) : rank;
    });
  }

  /** Looks until there is nothing to do. */
  look(): void {
    for (let steps = 0; !this.ended; steps += 1) {
      if (steps > 8) throw new Error(`goes in circles: ${this.steps.slice(-9).join(', ')}`);
      const seen: AttemptView = {
        attempt: this.#attempt,
        job: this.#job,
        ranks: this.ranks,
        contact: new Map(this.contact),
        selfFencing: true,
      };
      const step = nextStep(seen, at(this.now));
      this.steps.push(step.kind);
      if (step.kind === 'submit') this.#submit();
      else if (step.kind === 'stop') this.#stop(step.why);
      else if (step.kind !== 'wait') this.#take(step, seen);
      if (step.kind === 'submit' || step.kind === 'stop' || step.kind === 'wait') return;
    }
  }

  #take(step: Exclude<Step, { kind: 'wait' | 'submit' | 'stop' }>, seen: AttemptView): void {
    switch (step.kind) {
      case 'running':
        this.#move('running');
        if (this.#job.state === 'starting') this.#moveJob('running');
        return;
      case 'unknown': {
        const before = this.#attempt.state as AttemptRow['state_before_unknown'];
        this.#move('unknown');
        this.#attempt = { ...this.#attempt, state_before_unknown: before };
        return;
      }
      case 'recover':
        this.#move(this.#attempt.state_before_unknown!);
        this.#attempt = { ...this.#attempt, state_before_unknown: null };
        return;
      case 'end': {
        this.#move('ended');
        const retries = { failed: 1, 'out-of-memory': 1, 'timed-out': 1, 'start-failed': 1, 'node-lost': 1 };
        const { to } = jobAfter({ ...this.#job, retries_used: {}, spec: { retries } }, step.end.outcome);
        this.#moveJob(to);
        this.ended = { step, seen, job: to };
      }
    }
  }

  #submit(): void {
    if (this.#attempt.state === 'placed') this.#move('starting');
    this.#attempt = { ...this.#attempt, starting_at: this.#attempt.starting_at ?? at(this.now) };
  }

  #stop(why: JobRow['stop_reason']): void {
    if (this.#attempt.state === 'stopping') return;
    if (this.#attempt.state === 'unknown') {
      this.#attempt = { ...this.#attempt, state_before_unknown: 'stopping', stop_reason: why };
      return;
    }
    this.#move('stopping');
    this.#attempt = { ...this.#attempt, stop_reason: why };
  }

  #move(to: AttemptRow['state']): void {
    const from = this.#attempt.state;
    if (!canAttemptBecome(from, to)) throw new Error(`attempt: ${from} → ${to}`);
    this.#attempt = { ...this.#attempt, state: to };
  }

  #moveJob(to: JobState): void {
    if (!canJobBecome(this.#job.state, to)) throw new Error(`job: ${this.#job.state} → ${to}`);
    this.#job = { ...this.#job, state: to };
  }
}
