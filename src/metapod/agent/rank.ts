/**
 * One rank of an attempt on this node, from the intent to its deletion.
 *
 * `step` is called again and again and looks at what is: folder, supervisor, progress. It does what is due next and
 * writes that down before anything depends on it, so an agent that was killed anywhere goes on by calling `step`.
 * What must happen in order stays in order: the last checkpoint is committed before the end enters the journal, because
 * the orchestrator may start a successor the moment it reads the end.
 */
import { uptime } from 'node:os';
import { SolyxError } from '../../common/errors/index.ts';
import { failpoint } from '../../common/failpoints.ts';
import type { Logger } from '../../common/logger.ts';
import type { RankStart } from './attempt-folder.ts';
import type { Contact } from './contact.ts';
import { ControlPlaneAway } from './control-plane.ts';
import type { ReportJournal } from './journal.ts';
import { LogStream } from './log-stream.ts';
import { MetricStream } from './metrics/index.ts';
import { CannotStart, isDiskFull, type PrepareDependencies, prepareRank } from './prepare.ts';
import { Progress } from './progress.ts';
import { endOf, type RankEnd, supervisorLost } from './rank-end.ts';
import { RankRemains } from './rank-remains.ts';
import { RankReports } from './rank-reports.ts';
import { endSeconds, meterRank, usageOf } from './rank-usage.ts';
import type { NodeSample } from './samples/index.ts';
import { fetchImageCredentials, fetchSecrets } from './secrets.ts';
import { StatusWatch } from './status-watch.ts';
import { claimAttempt, nobody } from './supervisor/claim.ts';
import {
  bootId,
  destroyAttempt,
  type Inspection,
  inspectSupervisor,
  killAttempt,
  noSecrets,
  readStop,
  type Status,
  writeLease,
  writeStop,
} from './supervisor/index.ts';
import { SupervisorStarts, type SupervisorStartsDependencies } from './supervisor-starts.ts';

export interface RankDependencies extends PrepareDependencies, SupervisorStartsDependencies {
  readonly journal: ReportJournal;
  readonly logger: Logger;
  /** A report is in the journal and may be sent. */
  readonly onReport: () => void;
  readonly contact: Contact;
  /** Takes words about how far a rank is with starting. */
  readonly onProgress: (start: RankStart) => (words: string) => void;
}

/** A start that takes longer is told of, ms. */
const sayAfterMs = 100;

export class Rank {
  readonly dir: string;
  readonly start: RankStart;
  readonly logs: LogStream;
  readonly metrics: MetricStream;
  readonly #deps: RankDependencies;
  readonly #logger: Logger;
  readonly #progress: Progress;
  readonly #reports: RankReports;
  readonly #remains: RankRemains;
  readonly #starts: SupervisorStarts;
  #inspection: Inspection;
  #stepping: Promise<void> | undefined;
  #statusWatch: StatusWatch | undefined;
  /** Something changed while a step was under way that may not have seen it. */
  #isHurried = false;
  #gone = false;
  #retryAtMs = 0;

  constructor(dir: string, start: RankStart, deps: RankDependencies) {
    this.dir = dir;
    this.start = start;
    this.#deps = deps;
    this.#logger = deps.logger.child({ attempt: start.attemptId, rank: start.rank });
    this.#progress = new Progress(dir);
    this.#reports = new RankReports(start, {
      progress: this.#progress,
      journal: deps.journal,
      onReport: deps.onReport,
    });
    this.#remains = new RankRemains(dir, start, {
      progress: this.#progress,
      controlPlane: deps.controlPlane,
      logger: this.#logger,
    });
    this.#starts = new SupervisorStarts(dir, deps);
    this.#inspection = inspectSupervisor(dir);
    const id = { attemptId: start.attemptId, rank: start.rank, token: start.token };
    this.logs = new LogStream(dir, id, this.#progress.value.logsDone);
    this.metrics = new MetricStream(dir, id, this.#progress.value.metricsDone);
  }

  /** Deleted: there is nothing left to step. */
  get isGone(): boolean {
    return this.#gone;
  }

  /** Nothing of the job runs or will run. */
  get hasEnded(): boolean {
    return (
      this.#progress.value.failure !== null || this.#inspection.state === 'ended' || this.#inspection.state === 'dead'
    );
  }

  /** Its end is in the journal. */
  get isReported(): boolean {
    return this.#progress.value.reported === 'ended';
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
    if (this.#progress.value.stop === null) this.#progress.save({ stop: { why, graceSeconds } });
    if (!this.hasEnded && readStop(this.dir).kind === 'absent') writeStop(this.dir, this.#progress.value.stop!);
  }

  /** Deletes it once its end, log and metrics are with the control plane; one that runs is stopped first. */
  forget(): void {
    this.#progress.save({ forget: true });
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
    this.#statusWatch?.close();
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
        if (!this.#isHurried) return;
        this.#isHurried = false;
        this.step();
      });
  }

  /** Adds the energy since the last look. */
  meter(samples: { before: NodeSample; after: NodeSample } | null): void {
    const { status } = this.#inspection;
    const { payload } = this.start;
    if (status === null || payload === null || this.isReported) return;
    meterRank(this.dir, status, this.hasEnded, { payload, devices: this.#deps.devices, samples });
  }

  async #advance(): Promise<void> {
    if (this.#progress.value.failure === null) this.#inspection = inspectSupervisor(this.dir);
    const isToBegin =
      this.#progress.value.failure === null &&
      this.#progress.value.reported !== 'ended' &&
      this.#inspection.state === 'absent';
    if (!isToBegin) this.#reports.report('starting', null);
    if (this.logs.isDone && !this.#progress.value.logsDone) this.#progress.save({ logsDone: true });
    if (this.metrics.isDone && !this.#progress.value.metricsDone) this.#progress.save({ metricsDone: true });
    if (this.#progress.value.reported === 'ended') return this.#forgetIfDone();
    if (this.#progress.value.failure !== null) return this.#finish(this.#progress.value.failure, null);
    const { state, status } = this.#inspection;
    switch (state) {
      case 'absent':
        return this.#beginAndSay();
      case 'running':
        if (status?.state === 'running') {
          this.#statusWatch?.close();
          this.#reports.report('running', status.startedAt);
        }
        if (this.#progress.value.stop !== null && readStop(this.dir).kind === 'absent')
          writeStop(this.dir, this.#progress.value.stop);
        return this.#remains.collectNowAndThen();
      case 'ended':
        this.#statusWatch?.close();
        this.#reportThatItRan(status);
        await this.#remains.settled();
        return this.#finish(endOf(status!), status);
      case 'dead':
        this.#statusWatch?.close();
        this.#reportThatItRan(status);
        await this.#remains.settled();
        await killAttempt(this.dir);
        return this.#finish(supervisorLost, status);
    }
  }

  /** Also of what ended while nobody looked: it is billed from when it began, and not backwards from when that was found out. */
  #reportThatItRan(status: Status | null): void {
    if (status !== null && status.startedAt !== null) this.#reports.report('running', status.startedAt);
  }

  /** That it starts is said only when that takes long: flushes of the disk would hold the start up, and often it runs by then. */
  async #beginAndSay(): Promise<void> {
    const begun = this.#begin();
    const over = begun.then(
      () => true,
      () => true,
    );
    const isOver = await Promise.race([over, new Promise((resolve) => setTimeout(resolve, sayAfterMs).unref())]);
    try {
      if (isOver !== true) this.#reports.report('starting', null);
    } finally {
      await begun;
    }
  }

  async #begin(): Promise<void> {
    const { payload } = this.start;
    if (payload === null || (this.#progress.value.stop !== null && this.#starts.count === 0)) {
      const message =
        this.#progress.value.stop === null ? null : `stopped before it started: ${this.#progress.value.stop.why}`;
      return this.#rule('never-started', message);
    }
    if (this.#starts.isPending || this.#ruleIfContactWasLost()) return;
    if (this.#starts.isExhausted) {
      return this.#rule('start-failed', `its supervisor does not start: ${this.#starts.words()}`);
    }
    let secrets = noSecrets;
    try {
      if (this.#starts.count === 0) await this.#prepare();
      if (payload.secrets.length > 0) secrets = await fetchSecrets(this.#deps.controlPlane, this.start);
    } catch (error) {
      // Whatever it was about, it is not wanted any more; the next step says so.
      if (this.#progress.value.stop !== null) return;
      if (error instanceof CannotStart) return this.#rule('start-failed', error.message, error.isPermanent);
      if (isDiskFull(error)) return this.#rule('start-failed', 'the disk of this node is full');
      // A secret that is missing may be set again; one of the wrong form is what the job asked for.
      if (error instanceof SolyxError) {
        return this.#rule('start-failed', error.message, error.code === 'job_spec_invalid');
      }
      throw error;
    }
    // Asked to stop while it was being prepared.
    if (this.#progress.value.stop !== null || this.#ruleIfContactWasLost()) return;
    writeLease(this.dir, { uptimeSeconds: this.#heardSeconds() });
    failpoint('agent.before-supervisor');
    this.#statusWatch ??= new StatusWatch(this.dir, () => this.#hurry());
    await this.#starts.start(secrets);
    failpoint('agent.after-supervisor');
  }

  /** Bringing an image may take long; who is asked to stop meanwhile, or loses contact, does not wait for it. */
  async #prepare(): Promise<void> {
    const giveUp = new AbortController();
    const watch = setInterval(() => {
      if (this.#progress.value.stop !== null || this.#hasLostContact()) giveUp.abort();
    }, 200);
    try {
      await prepareRank(this.dir, this.start, this.#deps, {
        imageCredentials: () => fetchImageCredentials(this.#deps.controlPlane, this.start),
        say: this.#deps.onProgress(this.start),
        signal: giveUp.signal,
      });
    } finally {
      clearInterval(watch);
    }
  }

  #hurry(): void {
    if (this.#stepping === undefined) this.step();
    else this.#isHurried = true;
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
    if (!this.#hasLostContact()) return false;
    this.#rule('disconnected', 'contact with the control plane was lost before it started');
    return true;
  }

  #hasLostContact(): boolean {
    if (this.patienceSeconds === Number.POSITIVE_INFINITY) return false;
    const isOtherBoot = this.start.received.bootId !== bootId();
    return isOtherBoot || uptime() >= this.#heardSeconds() + this.patienceSeconds;
  }

  /**
   * Decides that it never runs. The claim is taken first, so that a supervisor that was started and is only slow finds
   * it taken and leaves; when the supervisor was faster, the next step finds it running.
   */
  #rule(reason: 'never-started' | 'start-failed' | 'disconnected', message: string | null, permanent = false): void {
    if (!claimAttempt(this.dir, nobody)) return;
    this.#progress.save({
      failure: {
        reason,
        exitCode: null,
        signal: null,
        message: message?.slice(0, 4000) ?? null,
        ...(permanent && { permanent }),
      },
    });
  }

  /** Keeps what the job left, then reports its end: in this order, however long the control plane is away. */
  async #finish(end: RankEnd, status: Status | null): Promise<void> {
    failpoint('agent.before-final-checkpoint');
    const ran = status !== null && status.startedUptime !== null;
    await this.#remains.keep(ran);
    failpoint('agent.before-ended-report');
    this.meter(null);
    const message = [end.message, ...this.#progress.value.notes].filter((text) => text !== null).join('; ');
    const finished = { ...end, message: message === '' ? null : message.slice(0, 4096) };
    this.#reports.write({
      state: 'ended',
      at: status?.endedAt ?? new Date().toISOString(),
      ranSeconds: ran ? Math.max(0, endSeconds(this.dir, status) - status.startedUptime!) : 0,
      end: finished,
      ...(ran && { usage: usageOf(this.dir, status) }),
    });
    failpoint('agent.after-ended-report');
    this.#logger.info({ end: finished }, 'a rank ended');
  }

  async #forgetIfDone(): Promise<void> {
    const { forget, logsDone, metricsDone } = this.#progress.value;
    if (!forget || !logsDone || !metricsDone || this.#reports.isPending) return;
    failpoint('agent.before-forget');
    await destroyAttempt(this.dir);
    this.#gone = true;
  }
}
