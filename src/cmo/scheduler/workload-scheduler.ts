/**
 * The scheduler's loop: read what changed, plan in the worker, commit, write back why the rest waits.
 *
 * Level-triggered: a round looks at everything that is queued, whatever it was woken for. While something is placed or refused it goes on
 * at once; then it sleeps until it is woken, a job's time comes, or the re-sync. Any number of schedulers may run: each plans on its own
 * snapshot and the commit refuses what another took. Nothing here must survive a crash: queue, fleet and verdicts are rows.
 */
import { join } from 'node:path';
import type { Clock } from '../../common/clock.ts';
import type { CommitResult, PendingVerdict, Preemption } from '../../common/contract/plan.ts';
import { type Database, withSystem } from '../../common/database/index.ts';
import type { Transaction } from '../../common/database/queryable.ts';
import { type Loop, runLoop, type Wake } from '../../common/events/index.ts';
import { failpoint } from '../../common/failpoints.ts';
import type { JobId } from '../../common/ids.ts';
import type { Logger } from '../../common/logger.ts';
import { type AttemptLedger, commitPlan, type Pace } from '../../drm/allocator/index.ts';
import { recordVerdicts, requestPreempt } from '../jobs/index.ts';
import { checkPolicy, defaultPolicy } from './core/policy.ts';
import type { Policy } from './core/snapshot.ts';
import { Feed } from './feed.ts';
import type { SchedulerMetric } from './metrics.ts';
import { type RoundResult, RoundWorker } from './worker/round-worker.ts';

export interface SchedulerOptions {
  readonly db: Database;
  readonly wake: Wake;
  readonly clock: Clock;
  readonly logger: Logger;
  /** Told what happens, for the metrics. */
  readonly record: (metric: SchedulerMetric) => void;
  readonly ledger: AttemptLedger<Transaction>;
  /** What differs from `defaultPolicy`. */
  readonly policy?: Partial<Policy> | undefined;
  /** Folder that the last 1000 rounds are written to as `round-<n>.json`, for `replayRound`; must exist. Default: not recorded. */
  readonly recordRounds?: string | undefined;
  /** Longest pause between rounds, seconds in (0, 30]; default 30. */
  readonly resyncSeconds?: number;
  /** Shortest time between two pages of the rolling comparison with the rows, seconds ≥ 0; default 5. */
  readonly compareSeconds?: number;
  /** Told whenever `ready()` changes. */
  readonly onReady?: (ready: boolean) => void;
  /** Makes room for requests between the transactions of a round; default: none is made. */
  readonly pace?: Pace;
  /** Starts the scheduling thread; for tests that end it. */
  readonly startWorker?: () => RoundWorker;
}

const verdictsPerTransaction = 500;
/** Rounds that are kept as files; later ones take their places. */
const recordedRounds = 1000;
/** Rounds in a row that commit nothing, after which the loop pauses: refusals that repeat must not spin. */
const mostFruitlessRounds = 3;
const fruitlessPauseMs = 1_000;
/** A job's time is looked at no later than so long after it was set, because long timers overflow. */
const longestTimerMs = 3_600_000;

interface Concluded {
  readonly committed: number;
  readonly refused: number;
  /** Planned meanwhile, and assumed by the worker. */
  readonly next: RoundResult | undefined;
}

export class WorkloadScheduler {
  readonly #options: SchedulerOptions;
  readonly #policy: Policy;
  readonly #feed: Feed;
  #worker: RoundWorker | undefined;
  #loop: Loop | undefined;
  #timer: NodeJS.Timeout | undefined;
  #rounds = 0;
  #ready = false;

  /** @throws InvalidPolicyError */
  constructor(options: SchedulerOptions) {
    this.#options = options;
    this.#policy = { ...defaultPolicy, ...options.policy };
    checkPolicy(this.#policy);
    this.#feed = new Feed({
      db: options.db,
      clock: options.clock,
      logger: options.logger,
      halfLifeSeconds: this.#policy.historyHalfLifeSeconds,
      compareEveryMs: (options.compareSeconds ?? 5) * 1000,
      onDifference: (kind, count) => {
        options.logger.warn({ kind, count }, 'the snapshot differed from the rows; they are read again');
        options.record({ kind: 'difference', of: kind, count });
      },
    });
  }

  /** Starts the loop; its first round reads everything. */
  async start(): Promise<void> {
    const { wake, logger, resyncSeconds } = this.#options;
    this.#loop = runLoop({
      name: 'scheduler',
      wakeOn: ['scheduler'],
      wake,
      logger,
      ...(resyncSeconds === undefined ? {} : { resyncSeconds }),
      run: (signal) => this.#run(signal),
    });
  }

  /** Whether the fleet and the queue have been read and the last round went well. */
  ready(): boolean {
    return this.#ready;
  }

  /** Ends the loop after the round that runs, and the worker. */
  async stop(): Promise<void> {
    clearTimeout(this.#timer);
    await this.#loop?.stop();
    clearTimeout(this.#timer);
    await this.#worker?.stop();
    this.#setReady(false);
  }

  async #run(signal: AbortSignal): Promise<void> {
    clearTimeout(this.#timer);
    try {
      let fruitless = 0;
      let planned: RoundResult | undefined;
      let planner: RoundWorker | undefined;
      for (;;) {
        const worker = this.#liveWorker();
        // What a thread planned that has died is assumed by nobody; its jobs are still queued.
        if (worker !== planner) planned = undefined;
        planner = worker;
        await this.#feed.pull(worker);
        planned ??= await this.#plan(worker);
        const { summary } = planned;
        const { committed, refused, next }: Concluded = await this.#conclude(worker, planned);
        planned = next;
        this.#setReady(true);
        fruitless = committed > 0 ? 0 : fruitless + 1;
        const goOn = committed > 0 || refused > 0 || next !== undefined;
        if (signal.aborted) return;
        if (goOn && (fruitless < mostFruitlessRounds || next !== undefined)) continue;
        this.#sleepUntil(goOn ? this.#now() + fruitlessPauseMs : summary.nextAt);
        return;
      }
    } catch (error) {
      this.#setReady(false);
      throw error;
    }
  }

  /** The worker, or a new one that is fed from the start when the last one died. */
  #liveWorker(): RoundWorker {
    if (this.#worker !== undefined && this.#worker.lost === undefined) return this.#worker;
    if (this.#worker?.lost !== undefined) {
      this.#options.logger.error({ err: this.#worker.lost }, 'the scheduling thread is started again');
      this.#options.record({ kind: 'restart' });
    }
    this.#worker = this.#options.startWorker?.() ?? new RoundWorker();
    this.#feed.restart();
    return this.#worker;
  }

  async #plan(worker: RoundWorker): Promise<RoundResult> {
    const { recordRounds } = this.#options;
    const place = (this.#rounds % recordedRounds) + 1;
    this.#rounds += 1;
    const recordTo = recordRounds === undefined ? null : join(recordRounds, `round-${place}.json`);
    const result = await worker.round(this.#policy, this.#now(), recordTo);
    this.#options.record({ kind: 'round', summary: result.summary });
    return result;
  }

  /**
   * Makes a plan true. While the database commits a full one, the worker plans the next on what it assumes to be placed; nothing is
   * read meanwhile.
   */
  async #conclude(worker: RoundWorker, result: RoundResult): Promise<Concluded> {
    const { summary, verdicts } = result;
    const ahead = summary.full ? this.#plan(worker).catch((error: Error) => error) : undefined;
    try {
      const commit = await this.#commit(worker, result);
      await this.#preempt(summary.preemptions);
      await this.#record([...verdicts, ...takenVerdicts(commit)]);
      const next = await ahead;
      if (next instanceof Error) throw next;
      return { committed: commit.committed.length, refused: commit.refused.length, next };
    } catch (error) {
      const next = await ahead;
      if (next !== undefined && !(next instanceof Error)) this.#giveUp(worker, next.placements);
      throw error;
    }
  }

  /** Of these placements nobody knows what became: their rows are read again. */
  #giveUp(worker: RoundWorker, placements: RoundResult['placements']): void {
    const ids = placements.map(({ jobId }) => jobId);
    if (worker.lost === undefined) worker.settle({ committed: [], refused: [], unknown: ids });
    this.#feed.doubt('job', ids);
    this.#feed.doubt('node', nodesOf(placements));
  }

  async #commit(worker: RoundWorker, { placements, summary }: RoundResult): Promise<CommitResult> {
    if (placements.length === 0) return { committed: [], refused: [] };
    const { db, ledger, wake, logger, pace } = this.#options;
    let result: CommitResult;
    failpoint('scheduler.before-commit');
    try {
      result = await commitPlan(db, { placements }, ledger, pace);
    } catch (error) {
      // Chunks before the failed one are committed, and of that one nobody knows: the rows tell.
      this.#giveUp(worker, placements);
      wake.wake('orchestrator');
      throw error;
    }
    failpoint('scheduler.after-commit');
    const refused = new Set<string>(result.refused.map(({ jobId }) => jobId));
    worker.settle({ committed: result.committed.map(({ jobId }) => jobId), refused: result.refused, unknown: [] });
    this.#feed.placed(result.committed.map(({ jobId }) => jobId));
    this.#feed.doubt('job', refused);
    this.#feed.doubt('node', nodesOf(placements.filter(({ jobId }) => refused.has(jobId))));
    const refusals = result.refused.map(({ code }) => code);
    this.#options.record({ kind: 'committed', placements: result.committed.length, refusals });
    for (const { code, jobId, detail } of result.refused) {
      if (code === 'invalid') logger.error({ jobId, detail, round: summary.round }, 'a plan contradicted itself');
    }
    if (result.committed.length > 0) wake.wake('orchestrator');
    return result;
  }

  /** Ends work for others. What could not be asked to end is looked at again: it has ended, or is being ended for another reason. */
  async #preempt(preemptions: readonly Preemption[]): Promise<void> {
    if (preemptions.length === 0) return;
    const { db, wake, logger } = this.#options;
    const asked = new Set(await withSystem(db, (tx) => requestPreempt(tx, preemptions), { idempotent: true }));
    this.#feed.doubt(
      'job',
      preemptions.flatMap(({ jobId }) => (asked.has(jobId) ? [] : [jobId])),
    );
    for (const preemption of preemptions) logger.info(preemption, 'a job is ended for another one');
    for (const topic of ['orchestrator', 'events']) wake.wake(topic);
  }

  async #record(verdicts: readonly PendingVerdict[]): Promise<void> {
    for (let from = 0; from < verdicts.length; from += verdictsPerTransaction) {
      const some = verdicts.slice(from, from + verdictsPerTransaction);
      await withSystem(this.#options.db, (tx) => recordVerdicts(tx, some), { idempotent: true });
    }
  }

  #setReady(ready: boolean): void {
    if (this.#ready === ready) return;
    this.#ready = ready;
    this.#options.onReady?.(ready);
  }

  #now(): number {
    return this.#options.clock.now().getTime();
  }

  #sleepUntil(at: number | null): void {
    if (at === null) return;
    const ms = Math.min(longestTimerMs, Math.max(1, at - this.#now()));
    this.#timer = setTimeout(() => this.#loop?.wake(), ms);
  }
}

const nodesOf = (placements: RoundResult['placements']): string[] =>
  placements.flatMap(({ ranks }) => ranks.map(({ nodeId }) => nodeId));

/** What jobs are told whose capacity another plan took; the next round judges them anew. */
function takenVerdicts(commit: CommitResult): PendingVerdict[] {
  return commit.refused
    .filter(({ code }) => code === 'capacity_taken' || code === 'node_changed')
    .map(({ jobId }) => ({
      jobId: jobId as JobId,
      reason: 'capacity_taken',
      detail: { message: 'Another plan took the capacity; it is planned again at once.' },
    }));
}
