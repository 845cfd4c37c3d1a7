/**
 * Predicts how long jobs run, from the jobs that ran and the jobs that run.
 *
 * A prediction is a distribution, made by walking the chain of keys (`job-features.ts`) from general to specific: at each
 * level the hazard of each bin is the node's own counts drawn towards the parent's hazard (`hazard-node.ts`) with a learned
 * strength (`strength.ts`). A new user leans on jobs of that size, a known user on his own, the tenth of a burst on the nine
 * before it; nothing switches, the evidence decides. Quantiles are then calibrated (`calibration.ts`).
 *
 * Nothing is tuned to a workload: the grid, the gaps and the fading are constants, everything else is learned as it goes.
 * Memory is bounded: a fixed-size node a key, at most `maxKeys` keys, and per live job its chain.
 * Pure: the caller says what happened and when; the same calls give the same predictions.
 */
import { MinHeap } from '../core/min-heap.ts';
import { Calibration, PROMISED_SHARES } from './calibration.ts';
import { type Distribution, meanSeconds, quantileSeconds, shareWithin } from './distribution.ts';
import { EstimateTrust } from './estimate-trust.ts';
import type { HazardNode } from './hazard-node.ts';
import {
  BURST_GAP_SECONDS,
  chainOf,
  classKey,
  type JobFeatures,
  type Level,
  levels,
  SESSION_GAP_SECONDS,
  usableEstimate,
} from './job-features.ts';
import { NodeTable } from './node-table.ts';
import { LevelStrength } from './strength.ts';
import { BIN_COUNT, binOf, lowerSeconds } from './time-bins.ts';

/** Hazard of a bin before anything was seen: about log-uniform run times. */
const HAZARD_AT_FIRST = 0.05;
/** A job that reaches its limit ends there, nearly always: it is killed. */
const HAZARD_AT_LIMIT = 0.9;

/** A job that the predictor follows; made by `submitted`, opaque to others but for what is public here. */
export interface TrackedJob {
  readonly features: JobFeatures;
  /** Jobs with the same group are predicted alike. */
  readonly group: HazardNode;
  /** @internal */
  readonly nodes: readonly HazardNode[];
  /** @internal */
  readonly chain: readonly Level[];
  /** @internal */
  readonly limitBin: number;
  /** @internal Epoch seconds; NaN while it waits. */
  startedAt: number;
  /** @internal The bin it is in. */
  bin: number;
  /** @internal What was predicted when it started. */
  atStart: Distribution | null;
}

export interface Prediction {
  /** What it rests on: jobs seen, the user's estimate, or nothing at all. */
  readonly source: 'history' | 'estimate' | 'prior';
  /** Seconds in all, not what is left; 0 < p10 ≤ p50 ≤ p80 ≤ p90, none below the time already run. */
  readonly p10: number;
  readonly p50: number;
  readonly p80: number;
  readonly p90: number;
  readonly meanSeconds: number;
  /** Ends seen of this very class of jobs (same user, name, size and estimate), or of its size when it has none. */
  readonly observations: number;
}

export class RunTimePredictor {
  readonly #table: NodeTable;
  readonly #strengths: Record<Level, LevelStrength>;
  readonly #calibration = new Calibration();
  readonly #trust = new EstimateTrust();
  /** Running jobs by when they leave their bin; what ended is skipped when met. */
  readonly #crossings = new MinHeap<{ at: number; job: TrackedJob }>((a, b) => a.at - b.at);
  #nextCrossing: { at: number; job: TrackedJob } | undefined;

  /** @param maxKeys most keys remembered, ≥ 1; a key is about 1 KiB */
  constructor({ maxKeys = 20_000 }: { maxKeys?: number } = {}) {
    this.#table = new NodeTable(maxKeys);
    this.#strengths = Object.fromEntries(Object.keys(levels).map((level) => [level, new LevelStrength()])) as Record<
      Level,
      LevelStrength
    >;
  }

  /** How many keys are remembered now. */
  get keyCount(): number {
    return this.#table.size;
  }

  /** Follows a job from its submission on. Jobs must come in order of submission for their bursts to be seen. */
  submitted(features: JobFeatures): TrackedJob {
    const chain = chainOf(features);
    const likeIt = `class ${classKey(features)}`;
    const session = `${likeIt} session ${nextSession(this.#table.use(likeIt), features.submittedAt, SESSION_GAP_SECONDS)}`;
    const burst = `${session} burst ${nextSession(this.#table.use(session), features.submittedAt, BURST_GAP_SECONDS)}`;
    chain.push({ level: 'session', key: session }, { level: 'burst', key: burst });
    const nodes = chain.map(({ key }) => this.#table.use(key));
    const estimate = usableEstimate(features);
    return {
      features,
      group: nodes.at(-1)!,
      nodes,
      chain: chain.map(({ level }) => level),
      limitBin: estimate === null ? BIN_COUNT : binOf(estimate),
      startedAt: Number.NaN,
      bin: 0,
      atStart: null,
    };
  }

  /** Another job of its burst, to be followed by itself. */
  alike(job: TrackedJob): TrackedJob {
    return { ...job, startedAt: Number.NaN, bin: 0, atStart: null };
  }

  /** Whether none of its burst has run yet. */
  isUnknown({ group }: TrackedJob): boolean {
    return group.runningCount === 0 && group.endedCount === 0;
  }

  /** A whole number that is another one when something was learned of its burst or session. */
  evidence({ group, nodes }: TrackedJob): number {
    return group.version + group.runningCount + 1e6 * nodes.at(-2)!.endedCount;
  }

  /**
   * The job runs since `now` (epoch seconds); one that runs already is left as it is.
   * @param doneSeconds what it keeps of earlier attempts, by a checkpoint: it goes on from there
   */
  started(job: TrackedJob, now: number, doneSeconds = 0): void {
    if (!Number.isNaN(job.startedAt) || !Number.isFinite(now)) return;
    const done = doneSeconds > 0 && Number.isFinite(doneSeconds) ? doneSeconds : 0;
    job.atStart = this.#fromHistory(job, done);
    job.startedAt = now - done;
    job.bin = binOf(done);
    for (const node of job.nodes) node.runningCount += 1;
    this.#push({ at: job.startedAt + lowerSeconds[job.bin + 1]!, job });
  }

  /** Learns from those that still run at `now` (epoch seconds). Costs the jobs that left a bin since the last call. */
  advance(now: number): void {
    while (this.#nextCrossing !== undefined && this.#nextCrossing.at <= now) {
      const { at, job } = this.#nextCrossing;
      this.#nextCrossing = this.#crossings.pop();
      if (Number.isNaN(job.startedAt) || at < job.startedAt + lowerSeconds[job.bin + 1]!) continue;
      this.#leaveBin(job);
      if (job.bin < BIN_COUNT - 1) this.#push({ at: job.startedAt + lowerSeconds[job.bin + 1]!, job });
    }
  }

  /**
   * The job ended.
   * @param how `finished` by itself (well or not), or `stopped` from outside, which says only "longer than so far"
   */
  ended(job: TrackedJob, now: number, how: 'finished' | 'stopped' = 'finished'): void {
    if (Number.isNaN(job.startedAt)) return;
    for (const node of job.nodes) node.runningCount -= 1;
    const seconds = now - job.startedAt;
    // A clock that makes no sense teaches nothing.
    const isSane = Number.isFinite(seconds) && seconds >= 0;
    while (isSane && job.bin < binOf(seconds)) this.#leaveBin(job);
    if (isSane && how === 'finished') {
      this.#score(job, seconds);
      this.#observe(job, true);
      job.nodes.forEach((node, i) => {
        node.fade(levels[job.chain[i]!]);
      });
    }
    job.startedAt = Number.NaN;
  }

  /** Run time in all, given that it has run for `elapsedSeconds` (anything that is no number ≥ 0 counts as 0). */
  distribution(job: TrackedJob, elapsedSeconds = 0): Distribution {
    if (this.#source(job, elapsedSeconds) === 'estimate') {
      const certain = new Float64Array(BIN_COUNT);
      certain[job.limitBin] = 1;
      return certain;
    }
    return this.#fromHistory(job, elapsedSeconds);
  }

  /** As `distribution`, as calibrated quantiles. */
  predict(job: TrackedJob, elapsedSeconds = 0): Prediction {
    const source = this.#source(job, elapsedSeconds);
    const distribution = this.distribution(job, elapsedSeconds);
    const elapsed = elapsedSeconds > 0 && Number.isFinite(elapsedSeconds) ? elapsedSeconds : 0;
    const quantile = (index: number) => {
      if (source === 'estimate') return usableEstimate(job.features)!;
      return Math.max(elapsed, quantileSeconds(distribution, this.#calibration.level(index)));
    };
    const [p10, p50, p80, p90] = PROMISED_SHARES.map((_, index) => quantile(index)) as [number, number, number, number];
    return {
      source,
      p10,
      p50,
      p80,
      p90,
      meanSeconds: source === 'estimate' ? p50 : Math.max(elapsed, meanSeconds(distribution)),
      observations: job.nodes[Math.max(job.chain.indexOf('class'), job.chain.indexOf('size'))]!.endedCount,
    };
  }

  #source(job: TrackedJob, elapsedSeconds: number): Prediction['source'] {
    const estimate = usableEstimate(job.features);
    if (estimate !== null && !(elapsedSeconds >= estimate) && this.#trust.prefersEstimate(this.#isKnown(job))) {
      return 'estimate';
    }
    return job.nodes[0]!.endedCount === 0 ? 'prior' : 'history';
  }

  /** Whether jobs of this class have ended before. */
  #isKnown(job: TrackedJob): boolean {
    const at = job.chain.indexOf('class');
    return at >= 0 && job.nodes[at]!.endedCount > 0;
  }

  #fromHistory(job: TrackedJob, elapsedSeconds: number): Distribution {
    const { nodes, chain, limitBin } = job;
    const distribution = new Float64Array(BIN_COUNT);
    let alive = 1;
    for (let bin = binOf(elapsedSeconds); bin < BIN_COUNT; bin++) {
      let hazard = HAZARD_AT_FIRST;
      for (let i = 0; i < nodes.length; i++) {
        hazard = nodes[i]!.hazard(bin, hazard, this.#strengths[chain[i]!].value);
      }
      if (bin >= limitBin) hazard = Math.max(hazard, HAZARD_AT_LIMIT);
      if (bin === BIN_COUNT - 1) hazard = 1;
      distribution[bin] = alive * hazard;
      alive *= 1 - hazard;
    }
    return distribution;
  }

  #leaveBin(job: TrackedJob): void {
    this.#observe(job, false);
    job.bin += 1;
  }

  #observe(job: TrackedJob, hasEnded: boolean): void {
    const { nodes, chain, bin } = job;
    let hazard = HAZARD_AT_FIRST;
    for (let i = 0; i < nodes.length; i++) {
      const node = nodes[i]!;
      const strength = this.#strengths[chain[i]!];
      strength.learn(node.reached[bin]! / node.weight, node.ended[bin]! / node.weight, hazard, hasEnded);
      hazard = node.hazard(bin, hazard, strength.value);
    }
    for (const node of nodes) node.observe(bin, hasEnded);
  }

  #score(job: TrackedJob, seconds: number): void {
    if (job.atStart === null) return;
    this.#calibration.learn(shareWithin(job.atStart, seconds));
    const estimate = usableEstimate(job.features);
    if (estimate === null) return;
    this.#trust.learn(this.#isKnown(job), quantileSeconds(job.atStart, 0.5), estimate, seconds);
  }

  #push(crossing: { at: number; job: TrackedJob }): void {
    if (this.#nextCrossing === undefined) {
      this.#nextCrossing = crossing;
    } else if (crossing.at < this.#nextCrossing.at) {
      this.#crossings.push(this.#nextCrossing);
      this.#nextCrossing = crossing;
    } else {
      this.#crossings.push(crossing);
    }
  }
}

/** The number of the session that a submission belongs to: a new one after a gap. */
function nextSession(node: HazardNode, at: number, gapSeconds: number): number {
  if (!Number.isFinite(at)) return node.session;
  if (at - node.lastSubmittedAt > gapSeconds) node.session += 1;
  node.lastSubmittedAt = Math.max(at, node.lastSubmittedAt);
  return node.session;
}
