/**
 * One rank of an attempt on this node, from the intent to its deletion.
 *
 * `step` is called again and again and looks at what is: folder, supervisor, progress. It does what is due next and
 * writes that down before anything depends on it, so an agent that was killed anywhere goes on by calling `step`.
 * What must happen in order stays in order: the last checkpoint is committed before the end enters the journal, because
 * the orchestrator may start a successor the moment it reads the end.
 */
import { readdirSync, readFileSync } from 'node:fs';
import { uptime } from 'node:os';
import { join, posix } from 'node:path';
import type { RankReport } from '../../common/contract/agent/protocol.ts';
import { SolyxError } from '../../common/errors/index.ts';
import { failpoint } from '../../common/failpoints.ts';
import type { Logger } from '../../common/logger.ts';
import { folders, type RankProgress, type RankStart, readProgress, writeProgress } from './attempt-folder.ts';
import { CheckpointCollector, storeArtifacts } from './checkpoints.ts';
import type { Contact } from './contact.ts';
import { ControlPlaneAway } from './control-plane.ts';
import { addInterval, readEnergy, writeEnergy } from './energy.ts';
import type { ReportJournal } from './journal.ts';
import { LogStream } from './log-stream.ts';
import { CannotStart, isDiskFull, type PrepareDependencies, prepareRank } from './prepare.ts';
import type { NodeSample } from './samples/index.ts';
import { claimAttempt } from './supervisor/claim.ts';
import {
  bootId,
  destroyAttempt,
  FILES,
  type Inspection,
  inspectSupervisor,
  killAttempt,
  readStop,
  readUsage,
  type Status,
  startSupervisor,
  writeLease,
  writeStop,
} from './supervisor/index.ts';

export interface RankDependencies extends PrepareDependencies {
  readonly journal: ReportJournal;
  readonly logger: Logger;
  /** A report is in the journal and may be sent. */
  readonly onReport: () => void;
  readonly contact: Contact;
}

type RankEnd = NonNullable<RankReport['end']>;

const collectEveryMs = 3_000;
/** A supervisor that has not claimed its folder by then never will. */
const claimMs = 15_000;
const mostSupervisors = 3;
/** Answered failures to keep a checkpoint or artefacts before the end is reported without. */
const mostKeepTries = 5;

export class Rank {
  readonly dir: string;
  readonly start: RankStart;
  readonly logs: LogStream;
  readonly #deps: RankDependencies;
  readonly #logger: Logger;
  #progress: RankProgress;
  #inspection: Inspection;
  #collector: CheckpointCollector | undefined;
  #stepping: Promise<void> | undefined;
  #gone = false;
  #spawns = 0;
  #spawnedAtMs = Number.NEGATIVE_INFINITY;
  #collectAtMs = 0;
  #retryAtMs = 0;
  #keepTries = 0;
  #background: Promise<void> | undefined;

  constructor(dir: string, start: RankStart, deps: RankDependencies) {
    this.dir = dir;
    this.start = start;
    this.#deps = deps;
    this.#logger = deps.logger.child({ attempt: start.attemptId, rank: start.rank });
    this.#progress = this.#reconcile(readProgress(dir));
    this.#inspection = inspectSupervisor(dir);
    const id = { attemptId: start.attemptId, rank: start.rank, token: start.token };
    this.logs = new LogStream(dir, id, this.#progress.logsDone);
    // A job has one newest checkpoint, so of a gang rank 0 keeps it, as its frameworks do; all ranks are given it back.
    if (start.rank === 0 && start.payload !== null && start.payload.checkpointPath !== null) {
      this.#collector = new CheckpointCollector(join(dir, folders.checkpoint), this.#target('checkpoint'));
    }
  }

  /** Deleted: there is nothing left to step. */
  get isGone(): boolean {
    return this.#gone;
  }

  /** Nothing of the job runs or will run. */
  get hasEnded(): boolean {
    return this.#progress.failure !== null || this.#inspection.state === 'ended' || this.#inspection.state === 'dead';
  }

  /** Its end is in the journal. */
  get isReported(): boolean {
    return this.#progress.reported === 'ended';
  }

  /** How long it goes on without contact before it is asked to end, seconds; infinite for `keep`. */
  get patienceSeconds(): number {
    const stopAfter = this.start.payload?.stopAfterSeconds ?? Number.POSITIVE_INFINITY;
    return stopAfter - Math.min(stopAfter, this.start.payload?.graceSeconds ?? 0);
  }

  /** For the hello: what of it is on disk. */
  get state(): 'starting' | 'running' | 'ended' {
    if (this.hasEnded) return 'ended';
    return this.#inspection.status?.state === 'running' ? 'running' : 'starting';
  }

  /** Asks it to stop; the first request counts. @throws Error when the disk is full */
  stop(why: string, graceSeconds: number): void {
    if (this.#progress.stop === null) this.#save({ stop: { why, graceSeconds } });
    if (!this.hasEnded && readStop(this.dir).kind === 'absent') writeStop(this.dir, this.#progress.stop!);
  }

  /** Deletes it once its end and its log are with the control plane; one that runs is stopped first. */
  forget(): void {
    this.#save({ forget: true });
    if (!this.hasEnded) this.stop('forgotten', 0);
  }

  /** Contact is about to be renewed: the supervisor is told; what never started and was without it too long, ends. */
  renewLease(uptimeSeconds: number): void {
    if (this.hasEnded) return;
    if (this.#inspection.state === 'absent') this.#ruleIfContactWasLost();
    else writeLease(this.dir, { uptimeSeconds });
  }

  /** Resolves when no step is under way. */
  async settled(): Promise<void> {
    await this.#stepping;
  }

  /** Does what is due. Never throws: what fails is tried again. */
  step(): void {
    if (this.#stepping !== undefined || this.#gone || performance.now() < this.#retryAtMs) return;
    this.#stepping = this.#advance()
      .catch((error) => {
        this.#retryAtMs = performance.now() + (error instanceof ControlPlaneAway ? 1_000 : 3_000);
        if (error instanceof ControlPlaneAway) return;
        this.#logger.warn({ err: error }, 'a step failed; it will be repeated');
      })
      .finally(() => {
        this.#stepping = undefined;
      });
  }

  /** Adds the energy since the last look. */
  meter(samples: { before: NodeSample; after: NodeSample } | null): void {
    const status = this.#inspection.status;
    if (status === null || status.startedUptime === null || status.state === 'starting') return;
    if (this.#progress.reported === 'ended' || this.start.payload === null) return;
    const usage = readUsage(this.dir);
    const untilSeconds = this.hasEnded ? this.#endSeconds(status) : uptime();
    const sum = addInterval(readEnergy(this.dir, status.startedUptime), {
      payload: this.start.payload,
      devices: this.#deps.devices,
      samples,
      cpuSeconds: usage.kind === 'ok' ? usage.value.cpuSeconds : 0,
      untilSeconds,
    });
    writeEnergy(this.dir, sum);
  }

  async #advance(): Promise<void> {
    if (this.#progress.failure === null) this.#inspection = inspectSupervisor(this.dir);
    this.#report('starting', null);
    if (this.logs.isDone && !this.#progress.logsDone) this.#save({ logsDone: true });
    if (this.#progress.reported === 'ended') return this.#forgetIfDone();
    if (this.#progress.failure !== null) return this.#finish(this.#progress.failure, null);
    const { state, status } = this.#inspection;
    switch (state) {
      case 'absent':
        return this.#begin();
      case 'running':
        if (status?.state === 'running') this.#report('running', status.startedAt);
        if (this.#progress.stop !== null && readStop(this.dir).kind === 'absent')
          writeStop(this.dir, this.#progress.stop);
        return this.#collectNowAndThen();
      case 'ended':
        if (status!.startedAt !== null) this.#report('running', status!.startedAt);
        await this.#background;
        return this.#finish(endOf(status!), status);
      case 'dead':
        await this.#background;
        await killAttempt(this.dir);
        return this.#finish(supervisorLost, status);
    }
  }

  async #begin(): Promise<void> {
    const { payload } = this.start;
    if (payload === null || (this.#progress.stop !== null && this.#spawns === 0)) {
      const message = this.#progress.stop === null ? null : `stopped before it started: ${this.#progress.stop.why}`;
      return this.#rule('never-started', message);
    }
    if (performance.now() - this.#spawnedAtMs < claimMs || this.#ruleIfContactWasLost()) return;
    if (this.#spawns >= mostSupervisors) {
      return this.#rule('start-failed', `its supervisor does not start: ${this.#supervisorWords()}`);
    }
    try {
      if (this.#spawns === 0) await prepareRank(this.dir, this.start, this.#deps);
    } catch (error) {
      if (error instanceof CannotStart) return this.#rule('start-failed', error.message);
      if (isDiskFull(error)) return this.#rule('start-failed', 'the disk of this node is full');
      if (error instanceof SolyxError) return this.#rule('start-failed', error.message);
      throw error;
    }
    // Asked to stop while it was being prepared.
    if (this.#progress.stop !== null || this.#ruleIfContactWasLost()) return;
    writeLease(this.dir, { uptimeSeconds: this.#heardSeconds() });
    failpoint('agent.before-supervisor');
    await startSupervisor(this.dir, { nodeBinary: this.#deps.nodeBinary });
    this.#spawns += 1;
    this.#spawnedAtMs = performance.now();
    failpoint('agent.after-supervisor');
  }

  /** When the control plane last was heard of or knew of us, by the boot clock; 0 when that was before this boot. */
  #heardSeconds(): number {
    const { received } = this.start;
    if (received.bootId !== bootId()) return 0;
    return Math.max(received.uptimeSeconds, this.#deps.contact.lastSeconds ?? 0);
  }

  /**
   * A rank that has not started yet is under the same rule as one that runs: without contact for so long it ends, for a
   * successor may then start elsewhere. A restart of the machine is such a loss, however short it was.
   */
  #ruleIfContactWasLost(): boolean {
    if (this.patienceSeconds === Number.POSITIVE_INFINITY) return false;
    const isOtherBoot = this.start.received.bootId !== bootId();
    if (!isOtherBoot && uptime() < this.#heardSeconds() + this.patienceSeconds) return false;
    this.#rule('disconnected', 'contact with the control plane was lost before it started');
    return true;
  }

  /**
   * Decides that it never runs. The claim is taken first, so that a supervisor that was started and is only slow finds
   * it taken and leaves; when the supervisor was faster, the next step finds it running.
   */
  #rule(reason: 'never-started' | 'start-failed' | 'disconnected', message: string | null): void {
    if (!claimAttempt(this.dir)) return;
    this.#save({ failure: { reason, exitCode: null, signal: null, message: message?.slice(0, 4000) ?? null } });
  }

  #collectNowAndThen(): void {
    if (this.#collector === undefined || this.#background !== undefined || performance.now() < this.#collectAtMs)
      return;
    this.#background = this.#collector
      .collect(false)
      .then(
        (committed) => committed && this.#logger.debug('a checkpoint was committed'),
        (error) => {
          if (!(error instanceof ControlPlaneAway)) this.#logger.warn({ err: error }, 'a checkpoint was not collected');
        },
      )
      .then(() => {
        this.#background = undefined;
        this.#collectAtMs = performance.now() + collectEveryMs;
      });
  }

  /** Keeps what the job left, then reports its end: in this order, however long the control plane is away. */
  async #finish(end: RankEnd, status: Status | null): Promise<void> {
    failpoint('agent.before-final-checkpoint');
    const ran = status !== null && status.startedUptime !== null;
    if (!this.#progress.checkpointDone) {
      const collector = ran ? this.#collector : undefined;
      await this.#keep('checkpoint', async () => void (await collector?.collect(true)));
      this.#save({ checkpointDone: true });
    }
    if (!this.#progress.artifactsDone) {
      await this.#keep('artifacts', async () => void (ran && (await this.#keepArtifacts())));
      this.#save({ artifactsDone: true });
    }
    failpoint('agent.before-ended-report');
    this.meter(null);
    const message = [end.message, ...this.#progress.notes].filter((text) => text !== null).join('; ');
    const finished = { ...end, message: message === '' ? null : message.slice(0, 4096) };
    this.#write({
      state: 'ended',
      at: status?.endedAt ?? new Date().toISOString(),
      ranSeconds: ran ? Math.max(0, this.#endSeconds(status) - status.startedUptime!) : 0,
      end: finished,
      ...(ran && { usage: this.#usage(status) }),
    });
    failpoint('agent.after-ended-report');
    this.#logger.info({ end: finished }, 'a rank ended');
  }

  /** Runs `keep`; failures that are answers are noted after some tries, absence is waited out by throwing. */
  async #keep(what: 'checkpoint' | 'artifacts', keep: () => Promise<void>): Promise<void> {
    try {
      await keep();
      this.#keepTries = 0;
    } catch (error) {
      if (error instanceof ControlPlaneAway) throw error;
      const final =
        error instanceof SolyxError &&
        ['stale_token', 'job_final', 'not_found', 'manifest_invalid'].includes(error.code);
      this.#keepTries += 1;
      if (!final && this.#keepTries < mostKeepTries) throw error;
      this.#keepTries = 0;
      this.#save({ notes: [...this.#progress.notes, `its ${what} could not be kept: ${(error as Error).message}`] });
    }
  }

  async #keepArtifacts(): Promise<void> {
    const wanted = (this.start.payload?.artifacts ?? []).map((path) => posix.normalize(path).replace(/\/+$/, ''));
    const roots = [
      { root: join(this.dir, FILES.artifacts), only: null },
      ...(wanted.length > 0 ? [{ root: join(this.dir, FILES.work), only: wanted.includes('.') ? null : wanted }] : []),
    ];
    const target = this.#target('artifacts');
    const { hash, skipped } = await storeArtifacts(roots, target);
    if (hash !== undefined) await target.commit(hash);
    if (skipped > 0) this.#save({ notes: [...this.#progress.notes, `${skipped} artefacts could not be read`] });
  }

  #target(kind: 'checkpoint' | 'artifacts') {
    const { controlPlane } = this.#deps;
    const { attemptId, rank, token } = this.start;
    return {
      has: (hash: string) => controlPlane.has(attemptId, hash),
      put: (content: Uint8Array, hash: string) => controlPlane.put({ attemptId, token }, content, hash),
      commit: (hash: string) => controlPlane.commit(kind, { attemptId, rank, token }, hash),
    };
  }

  #usage(status: Status): RankReport['usage'] {
    const usage = readUsage(this.dir);
    const energy = readEnergy(this.dir, status.startedUptime ?? 0);
    return {
      cpuSeconds: usage.kind === 'ok' ? usage.value.cpuSeconds : 0,
      peakMemoryBytes: usage.kind === 'ok' ? usage.value.memoryPeakBytes : 0,
      energyJoules: energy.joules,
      energySource: energy.measured ? 'measured' : 'modelled',
    };
  }

  /** Reports a state once; the journal is the truth, the progress file says that it was done. */
  #report(state: 'starting' | 'running', at: string | null): void {
    const order = { none: 0, starting: 1, running: 2, ended: 3 } as const;
    if (order[this.#progress.reported] >= order[state]) return;
    this.#write({ state, at: at ?? new Date().toISOString() });
  }

  #write(report: Omit<RankReport, 'attemptId' | 'rank' | 'token'>): void {
    const { attemptId, rank, token } = this.start;
    this.#deps.journal.append({ attemptId, rank, token, ...report });
    failpoint('agent.after-journal');
    this.#save({ reported: report.state });
    this.#deps.onReport();
  }

  /** An agent killed between journal and progress file has reported more than the progress file says. */
  #reconcile(progress: RankProgress): RankProgress {
    const mine = this.#deps.journal.entries.filter(
      ({ report }) => report.attemptId === this.start.attemptId && report.rank === this.start.rank,
    );
    const last = mine.at(-1)?.report.state;
    return last === undefined ? progress : { ...progress, reported: last };
  }

  async #forgetIfDone(): Promise<void> {
    if (!this.#progress.forget || !this.#progress.logsDone) return;
    const isUnsent = this.#deps.journal.entries.some(
      ({ report }) => report.attemptId === this.start.attemptId && report.rank === this.start.rank,
    );
    if (isUnsent) return;
    failpoint('agent.before-forget');
    await destroyAttempt(this.dir);
    this.#gone = true;
  }

  /** Boot clock at the end; of an end that nobody recorded, at the supervisor's last account. */
  #endSeconds(status: Status): number {
    if (status.endedUptime !== null) return status.endedUptime;
    const usage = readUsage(this.dir);
    return usage.kind === 'ok' ? usage.value.uptimeSeconds : (status.startedUptime ?? 0);
  }

  #supervisorWords(): string {
    try {
      return readFileSync(join(this.dir, 'supervisor.out'), 'utf8').slice(-1000).trim() || 'it says nothing';
    } catch {
      return `it left ${readdirSync(this.dir).join(', ')}`;
    }
  }

  #save(change: Partial<RankProgress>): void {
    const progress = { ...this.#progress, ...change };
    writeProgress(this.dir, progress);
    this.#progress = progress;
  }
}

const supervisorLost: RankEnd = {
  reason: 'supervisor-lost',
  exitCode: null,
  signal: null,
  message: 'Its supervisor died (the machine restarted, or something killed it), and the job with it.',
};

function endOf(status: Status): RankEnd {
  const { reason, exitCode, signal, message } = status;
  return { reason: reason ?? 'supervisor-lost', exitCode, signal, message };
}
