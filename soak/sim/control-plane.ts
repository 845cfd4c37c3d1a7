/**
 * Jobs and attempts in memory, moved by production's own decisions: `nextStep`, `mergeRank`, `jobAfter`, `retryPause`, and the tables of states.
 *
 * What stands here is what in production is SQL (`cmo/jobs`, `orchestrator/queries.ts`): which row is written when. Each step is one
 * transaction, so nothing happens between its reads and its writes; what lies between transactions (calls to nodes, answers to clients) takes
 * time, is lost, doubled or overtaken.
 */

import { jobAfter, retryPause } from '../../src/cmo/jobs/end-attempt.ts';
import type { AttemptEnd } from '../../src/cmo/jobs/index.ts';
import { foldReports, type ReportRow } from '../../src/cmo/orchestrator/backends/agent/fold-reports.ts';
import { mergeRank } from '../../src/cmo/orchestrator/merge-rank.ts';
import { type AttemptView, type NodeContact, nextStep, type Step } from '../../src/cmo/orchestrator/reconcile.ts';
import { type AttemptState, canAttemptBecome } from '../../src/common/contract/states/attempt.ts';
import { canJobBecome, isFinalJob, type JobState, type StopReason } from '../../src/common/contract/states/job.ts';
import type { Command, MachineReport } from './machine.ts';
import type { SimAttempt, SimJob } from './rows.ts';
import type { Stand } from './stand.ts';

const mostSteps = 8;
type Mutable<T> = { -readonly [K in keyof T]: T[K] };

export class ControlPlane {
  readonly jobs = new Map<string, SimJob>();
  readonly attempts = new Map<string, SimAttempt>();
  /** By attempt that has not ended: the reports of its ranks, as the gateway wrote them. */
  readonly #heard = new Map<string, ReportRow[]>();
  readonly #stand: Stand;
  #tokens = 0n;
  #reports = 0n;

  constructor(stand: Stand) {
    this.#stand = stand;
  }

  submit(job: SimJob): void {
    this.jobs.set(job.id, job);
    this.#stand.jobChanged(job.id);
  }

  /** The new attempt of a placed job: the ledger's `create`. */
  place(jobId: string, holds: SimAttempt['holds']): { readonly attemptId: string; readonly token: bigint } {
    const job = this.jobs.get(jobId)!;
    this.#tokens += 1n;
    const change = { newest_token: this.#tokens, attempt_count: job.attempt_count + 1 };
    if (job.state === 'queued') this.#moveJob(job, 'starting', change);
    else this.#change(job, change);
    const id = `att_${this.#tokens}`;
    const now = this.#now;
    this.attempts.set(id, {
      id,
      job_id: jobId,
      number: job.attempt_count,
      token: this.#tokens,
      state: 'placed',
      state_before_unknown: null,
      stop_reason: null,
      placed_at: now,
      starting_at: null,
      outcome: null,
      holds,
      ranks: holds.map(({ nodeId }, rank) => ({
        ...{ attempt_id: id, tenant: job.tenant, rank, node_id: nodeId, state: 'placed' as const },
        ...{ reason: null, exit_code: null, signal: null, message: null, started_at: null, ended_at: null },
      })),
    });
    return { attemptId: id, token: this.#tokens };
  }

  /** A report arrived. */
  hear(observation: MachineReport): void {
    const attempt = this.attempts.get(observation.attemptId);
    if (attempt === undefined || attempt.state === 'ended') {
      this.#stand.counts.contrary += 1;
      return;
    }
    const { attemptId, rank, token, state, ranSeconds, end } = observation;
    const at = observation.endedAt ?? observation.startedAt ?? this.#now;
    const more = { ...(ranSeconds !== undefined && { ranSeconds }), ...(end && { end }) };
    const body = { attemptId, rank, token: String(token), state, at: at.toISOString(), ...more };
    const reports = this.#heard.get(attempt.id) ?? [];
    this.#reports += 1n;
    reports.push({ id: this.#reports, attempt_id: attemptId, rank, token, body, received_at: this.#now });
    this.#heard.set(attempt.id, reports);
    this.#stand.wake(attempt.id);
  }

  /** A write under a token: a checkpoint, a result. @returns whether it was taken */
  write(jobId: string, token: bigint): boolean {
    const job = this.jobs.get(jobId)!;
    return this.#stand.without.has('effectFence') || token >= job.newest_token;
  }

  /** Takes an attempt as far as it goes. */
  async step(attemptId: string): Promise<void> {
    const attempt = this.attempts.get(attemptId);
    if (attempt === undefined || attempt.state === 'ended') return;
    const job = this.jobs.get(attempt.job_id)!;
    this.#absorb(attempt);
    const contact = new Map<string, NodeContact>(attempt.ranks.map(({ node_id }) => [node_id, this.#contact(node_id)]));
    for (let steps = 0; steps < mostSteps; steps += 1) {
      const view: AttemptView = { attempt, job, ranks: attempt.ranks, contact, selfFencing: true };
      if (await this.#take(attempt, job, nextStep(view, this.#now))) return;
    }
    throw new Error(`attempt ${attemptId} did not settle within ${mostSteps} steps`);
  }

  #contact(nodeId: string): NodeContact {
    const contact = this.#stand.contactOf(nodeId);
    // Without the protection, silence counts as an end.
    const isHasty = this.#stand.without.has('certainEnd') && contact.presence === 'lost';
    return isHasty ? { ...contact, presence: 'removed' } : contact;
  }

  #absorb(attempt: SimAttempt): void {
    const reports = this.#heard.get(attempt.id);
    if (reports === undefined) return;
    const isForwardOnly = !this.#stand.without.has('forwardOnly');
    const observations = isForwardOnly
      ? foldReports(reports)
      : reports.slice(-1).flatMap((report) => foldReports([report]));
    const bounds = { since: attempt.starting_at ?? attempt.placed_at, now: this.#now };
    attempt.ranks = attempt.ranks.map((rank) => {
      const seen = observations.find((one) => one.rank === rank.rank && one.token === attempt.token);
      if (seen === undefined) return rank;
      const merged = mergeRank(isForwardOnly ? rank : { ...rank, state: 'placed', ended_at: null }, seen, bounds);
      this.#stand.invariants.rankMoved(attempt.id, rank.state, merged.state);
      return merged;
    });
  }

  /** Obeys a step; true when there is nothing more to do now. */
  async #take(attempt: SimAttempt, job: SimJob, step: Step): Promise<boolean> {
    switch (step.kind) {
      case 'wait':
        if (step.until) this.#stand.wake(attempt.id, step.until.getTime());
        return true;
      case 'submit':
        if (attempt.state !== 'starting') this.#moveAttempt(attempt, 'starting', { starting_at: this.#now });
        this.#stand.wake(attempt.id, step.until.getTime());
        this.#send(attempt, job, 'start');
        return true;
      case 'stop':
        this.#markStopping(attempt, step.why);
        this.#stand.wake(attempt.id, step.until.getTime());
        this.#send(attempt, job, 'stop');
        return true;
      case 'running':
        this.#moveAttempt(attempt, 'running', {});
        if (job.state === 'starting') this.#moveJob(job, 'running', {});
        return false;
      case 'unknown':
        this.#moveAttempt(attempt, 'unknown', { state_before_unknown: beforeUnknown(attempt.state) });
        return false;
      case 'recover':
        this.#moveAttempt(attempt, attempt.state_before_unknown!, { state_before_unknown: null });
        return false;
      case 'end':
        await this.#end(attempt, job, step.end);
        return true;
    }
  }

  #markStopping(attempt: SimAttempt, why: StopReason | null): void {
    if (attempt.state === 'unknown') Object.assign(attempt, { state_before_unknown: 'stopping', stop_reason: why });
    else if (attempt.state !== 'stopping') this.#moveAttempt(attempt, 'stopping', { stop_reason: why });
  }

  /** The backend's call, after the intent was committed. */
  #send(attempt: SimAttempt, job: SimJob, kind: Command['kind']): void {
    const script = job.script(attempt.number);
    const { onDisconnect } = job.spec;
    for (const { rank, node_id, state } of attempt.ranks) {
      if (state === 'ended') continue;
      const common = { attemptId: attempt.id, jobId: job.id, token: attempt.token, rank };
      const stopAfterMs = onDisconnect === 'keep' ? null : onDisconnect.stopAfter * 1000;
      const command: Command =
        kind === 'stop'
          ? { kind, ...common }
          : { kind, ...common, ...script, stopAfterMs, devices: attempt.holds[rank]!.devices };
      this.#stand.command(node_id, command);
    }
  }

  async #end(attempt: SimAttempt, job: SimJob, end: AttemptEnd): Promise<void> {
    const { to, retry } = jobAfter(job, end.outcome);
    const used = retry === null ? 0 : (job.retries_used[retry] ?? 0);
    const pauseMs = retry === null ? 0 : 1000 * retryPause(used, this.#stand.random.next());
    attempt.ranks = attempt.ranks.map((rank) => ({ ...rank, state: 'ended' }));
    this.#moveAttempt(attempt, 'ended', { outcome: end.outcome, state_before_unknown: null });
    this.#stand.coverage.count('outcome', end.outcome);
    this.#moveJob(job, to, {
      ...(to === 'queued' && {
        stop_reason: null,
        queuedAt: this.#stand.time.now,
        notBefore: retry === null ? 0 : this.#stand.time.now + pauseMs,
      }),
      ...(retry !== null && { retries_used: { ...job.retries_used, [retry]: used + 1 } }),
    });
    this.#heard.delete(attempt.id);
    await this.#stand.ended(attempt);
  }

  /** `solyx cancel`, `suspend`, `resume`, and what preempts, moves and sheds. Nothing happens where it makes no sense. */
  request(jobId: string, what: StopReason | 'resume'): void {
    const job = this.jobs.get(jobId);
    if (job === undefined || isFinalJob(job.state)) return;
    if (what === 'resume') {
      if (job.state !== 'suspended') return;
      this.#moveJob(job, 'queued', { stop_reason: null, queuedAt: this.#stand.time.now, notBefore: 0 });
      return;
    }
    if (job.state === 'stopping') {
      if (what === 'cancel' || (what === 'suspend' && job.stop_reason !== 'cancel'))
        this.#change(job, { stop_reason: what });
      return;
    }
    const waits = job.state === 'queued' || job.state === 'suspended';
    if (waits && what === 'cancel') this.#moveJob(job, 'cancelled', { stop_reason: what });
    else if (job.state === 'queued' && what === 'suspend') this.#moveJob(job, 'suspended', { stop_reason: what });
    else if (!waits) {
      this.#moveJob(job, 'stopping', { stop_reason: what });
      const open = [...this.#stand.openAttempts].find((id) => this.attempts.get(id)!.job_id === jobId);
      if (open !== undefined) this.#stand.wake(open);
    }
  }

  #moveAttempt(attempt: SimAttempt, to: AttemptState, change: Partial<SimAttempt>): void {
    if (!canAttemptBecome(attempt.state, to))
      throw new Error(`attempt ${attempt.id} cannot go from ${attempt.state} to ${to}`);
    this.#stand.coverage.move('attempt', attempt.state, to);
    Object.assign(attempt, { state: to, ...change });
  }

  #moveJob(job: SimJob, to: JobState, change: Partial<SimJob>): void {
    if (!canJobBecome(job.state, to)) throw new Error(`job ${job.id} cannot go from ${job.state} to ${to}`);
    this.#stand.coverage.move('job', job.state, to);
    this.#change(job, { state: to, ...change });
  }

  #change(job: SimJob, change: Partial<SimJob>): void {
    Object.assign(job as Mutable<SimJob>, { revision: job.revision + 1n, ...change });
    this.#stand.jobChanged(job.id);
  }

  get #now(): Date {
    return new Date(this.#stand.time.now);
  }
}

function beforeUnknown(state: AttemptState): SimAttempt['state_before_unknown'] {
  if (state === 'unknown' || state === 'ended') throw new Error(`an attempt that is ${state} cannot become unknown`);
  return state;
}
