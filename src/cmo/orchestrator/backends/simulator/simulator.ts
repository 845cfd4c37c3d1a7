/**
 * A backend without machines: nodes are rows of a site whose backend is `simulator`, and what runs there is a script on a clock.
 *
 * Everything that real machines do to an orchestrator can be ordered here: slow starts, each kind of end, silence, power
 * cuts, late, doubled and reordered reports, refusals, a caller that dies between intent and effect. It behaves as an agent
 * does: tokens fence, ranks end themselves without contact, reports wait on the node until they were taken. In memory:
 * it belongs to one process, and `adoptSimulated` says what a restart of that process has lost.
 */
import type { Clock } from '../../../../common/clock.ts';
import type { AttemptRef, AttemptToRun, AttemptToStop, Backend, Change, RankObservation } from '../backend.ts';
import { seededRandom } from './random.ts';
import { type Script, SimulatedCrash, scriptOfSpec, success } from './script.ts';
import { type NodeLink, type Report, SimulatedRank } from './simulated-rank.ts';

export interface SimulatorOptions {
  /** Time of the simulated machines. A clock that moves by itself needs `onEvent`. */
  readonly clock: Clock;
  readonly seed?: number;
  /** What an attempt does; default: what its environment says (`script.ts`). */
  readonly scriptOf?: (attempt: AttemptToRun, random: () => number) => Script;
  /** Called when something happened by itself; `speed` is that of `clock` against real time. */
  readonly onEvent?: { readonly call: () => void; readonly speed: number };
}

interface SimulatedAttempt {
  readonly jobId: string;
  readonly token: bigint;
  readonly ranks: readonly SimulatedRank[];
  /** Commands that wait for nodes without contact. */
  stopSeconds: number | null;
  forgotten: boolean;
}

const noCommands = { stopSeconds: null, forgotten: false };
const connected: NodeLink = { lostSinceMs: null, isOff: false };

export class Simulator implements Backend {
  readonly id = 'simulator';
  readonly capabilities = { gangs: true, logs: 'none', selfFencing: true, checkpoints: false } as const;
  readonly #options: SimulatorOptions;
  readonly #attempts = new Map<string, SimulatedAttempt>();
  readonly #links = new Map<string, NodeLink>();
  /** Newest token that was seen of each job. */
  readonly #fences = new Map<string, bigint>();
  readonly #crashed = new Set<string>();
  #arrived = 0n;
  #timer: NodeJS.Timeout | undefined;

  constructor(options: SimulatorOptions) {
    this.#options = options;
  }

  async probe() {
    return { ok: true, detail: `${this.#attempts.size} simulated attempt(s)` };
  }

  async submit(attempt: AttemptToRun) {
    this.#advance();
    const { attemptId, jobId, token } = attempt;
    const random = seededRandom(this.#options.seed ?? 1, attempt.spec.name, attempt.arrayIndex ?? 0, attempt.number);
    const script = (this.#options.scriptOf ?? scriptOfSpec)(attempt, random);
    this.#crashAt('before-effect', attemptId, script);
    if (!this.#attempts.has(attemptId)) {
      const newest = this.#fences.get(jobId) ?? 0n;
      if (token <= newest) return { kind: 'refused', reason: `token ${token} is not newer than ${newest}` } as const;
      if (script.faults.refuse !== undefined) return { kind: 'refused', reason: script.faults.refuse } as const;
      this.#fences.set(jobId, token);
      this.#attempts.set(attemptId, {
        jobId,
        token,
        ranks: attempt.ranks.map((rank) => makeRank(attempt, rank, script)),
        ...noCommands,
      });
      this.#deliver();
    }
    this.#crashAt('after-effect', attemptId, script);
    return { kind: 'accepted' } as const;
  }

  async observe(attemptIds: readonly string[]): Promise<RankObservation[]> {
    this.#advance();
    return attemptIds.flatMap((id) => this.#ranksOf(id).flatMap((rank) => lastArrived(rank)?.observation ?? []));
  }

  async changed(limit: number): Promise<Change[]> {
    this.#advance();
    const changes: Change[] = [];
    let items = 0;
    for (const [attemptId, { ranks, forgotten }] of this.#attempts) {
      if (forgotten) continue;
      const open = ranks.flatMap(({ reports }) =>
        reports.flatMap(({ item, settled }) => (item === null || settled ? [] : [item])),
      );
      if (open.length === 0) continue;
      if (items + open.length > limit && items > 0) break;
      changes.push({ attemptId, items: open });
      items += open.length;
    }
    return changes;
  }

  async settle(changes: readonly Change[]): Promise<void> {
    for (const { attemptId, items } of changes) {
      const settled = new Set(items);
      for (const { reports } of this.#attempts.get(attemptId)?.ranks ?? []) {
        for (const report of reports) if (report.item !== null && settled.has(report.item)) report.settled = true;
      }
    }
  }

  async cancel({ attemptId, token, jobId, nodeIds }: AttemptToStop, _why: string, graceSeconds: number) {
    this.#advance();
    const known = this.#attempts.get(attemptId);
    if (known && known.token !== token) return;
    if (!known && (nodeIds.length === 0 || token <= (this.#fences.get(jobId) ?? 0n))) return;
    const attempt = known ?? this.#addStub({ attemptId, token, jobId, nodeIds });
    attempt.stopSeconds ??= graceSeconds;
    this.#deliver();
  }

  async forget({ attemptId, token }: AttemptRef): Promise<void> {
    this.#advance();
    const attempt = this.#attempts.get(attemptId);
    if (attempt?.token !== token) return;
    attempt.forgotten = true;
    this.#deliver();
  }

  async recover(): Promise<AttemptRef[]> {
    this.#advance();
    return [...this.#attempts].flatMap(([attemptId, { token, ranks }]) =>
      ranks.some((rank) => rank.isRunning && this.#link(rank).lostSinceMs === null) ? [{ attemptId, token }] : [],
    );
  }

  /** Processes that exist right now, whoever knows of them. */
  processes(): { jobId: string; attemptId: string; rank: number; nodeId: string }[] {
    this.#advance();
    return [...this.#attempts].flatMap(([attemptId, { jobId, ranks }]) =>
      ranks
        .filter((rank) => rank.isRunning && !this.#link(rank).isOff)
        .map(({ traits }) => ({ jobId, attemptId, rank: traits.rank, nodeId: traits.nodeId })),
    );
  }

  /** Nodes that cannot be reached. */
  silentNodes(): string[] {
    return [...this.#links].filter(([, link]) => link.lostSinceMs !== null).map(([nodeId]) => nodeId);
  }

  /** A node's network fails: work goes on, reports wait, commands too. */
  loseContact(nodeId: string): void {
    this.#advance();
    if (this.#links.get(nodeId)?.lostSinceMs == null)
      this.#links.set(nodeId, { lostSinceMs: this.#nowMs(), isOff: false });
  }

  /** A node's power fails: everything on it is gone. */
  powerOff(nodeId: string): void {
    this.loseContact(nodeId);
    this.#links.set(nodeId, { ...this.#links.get(nodeId)!, isOff: true });
  }

  /** A node is back, from either: what it kept arrives, and what it lost is reported as lost. */
  restore(nodeId: string): void {
    this.#advance();
    const link = this.#links.get(nodeId);
    if (!link) return;
    this.#links.set(nodeId, connected);
    for (const rank of this.#ranks()) {
      if (rank.traits.nodeId !== nodeId) continue;
      if (link.isOff) rank.loseAll(link.lostSinceMs!, this.#nowMs());
      rank.catchUp(this.#nowMs());
    }
    this.#deliver();
    this.#advance();
  }

  /** Attempts that a former simulator ran and this one does not know: they are reported as lost. */
  reportLost(attempts: readonly AttemptToStop[]): void {
    for (const attempt of attempts) {
      if (this.#attempts.has(attempt.attemptId)) continue;
      for (const rank of this.#addStub(attempt).ranks) {
        rank.deliver(this.#nowMs());
        rank.loseAll(this.#nowMs(), this.#nowMs());
      }
    }
    this.#advance();
  }

  /** No further calls of `onEvent`. */
  stop(): void {
    clearTimeout(this.#timer);
  }

  /** An attempt whose start never came. */
  #addStub({ attemptId, token, jobId, nodeIds }: AttemptToStop): SimulatedAttempt {
    const none = { script: nothing, timeoutSeconds: null, stopAfterSeconds: null, cpuMilli: 0, deviceMilli: 0 };
    const ranks = nodeIds.map((nodeId, rank) => new SimulatedRank({ attemptId, token, rank, nodeId, ...none }));
    const attempt: SimulatedAttempt = { jobId, token, ranks, ...noCommands };
    this.#attempts.set(attemptId, attempt);
    if (token > (this.#fences.get(jobId) ?? 0n)) this.#fences.set(jobId, token);
    return attempt;
  }

  #nowMs(): number {
    return this.#options.clock.now().getTime();
  }

  *#ranks(): Generator<SimulatedRank> {
    for (const { ranks } of this.#attempts.values()) yield* ranks;
  }

  #link({ traits }: SimulatedRank): NodeLink {
    return this.#links.get(traits.nodeId) ?? connected;
  }

  #ranksOf(attemptId: string): readonly SimulatedRank[] {
    const attempt = this.#attempts.get(attemptId);
    return attempt && !attempt.forgotten ? attempt.ranks : [];
  }

  /** Brings commands to the nodes that can be reached. */
  #deliver(): void {
    for (const [attemptId, attempt] of this.#attempts) {
      const reachable = attempt.ranks.filter((rank) => this.#link(rank).lostSinceMs === null);
      for (const rank of reachable) {
        if (attempt.stopSeconds !== null) rank.stop(this.#nowMs(), attempt.stopSeconds);
        rank.deliver(this.#nowMs());
      }
      // What runs on a node that cannot be told runs on.
      const runsOn = attempt.ranks.some((rank) => rank.isRunning && !reachable.includes(rank));
      if (attempt.forgotten && !runsOn) this.#attempts.delete(attemptId);
    }
    this.#advance();
  }

  /** Lets everything happen that happened up to now, and numbers the reports in the order of their arrival. */
  #advance(): void {
    const nowMs = this.#nowMs();
    const fresh: Report[] = [];
    let next = Number.POSITIVE_INFINITY;
    for (const rank of this.#ranks()) {
      rank.advance(nowMs, this.#link(rank));
      next = Math.min(next, rank.nextAtMs(this.#link(rank)) ?? next);
      for (const report of rank.reports) {
        if (report.item !== null) continue;
        if (report.arrivesAtMs <= nowMs) fresh.push(report);
        else next = Math.min(next, report.arrivesAtMs);
      }
    }
    for (const report of fresh.sort((a, b) => a.arrivesAtMs - b.arrivesAtMs)) {
      this.#arrived += 1n;
      report.item = this.#arrived;
    }
    this.#arm(next - nowMs, fresh.length > 0);
  }

  #arm(inMs: number, news: boolean): void {
    const { onEvent } = this.#options;
    if (!onEvent) return;
    clearTimeout(this.#timer);
    const waitMs = news ? 0 : inMs / onEvent.speed;
    if (!Number.isFinite(waitMs)) return;
    this.#timer = setTimeout(
      () => {
        this.#advance();
        onEvent.call();
      },
      Math.min(waitMs, 2 ** 31 - 1),
    );
    this.#timer.unref();
  }

  #crashAt(place: 'before-effect' | 'after-effect', attemptId: string, { faults }: Script): void {
    if (faults.crash !== place || this.#crashed.has(attemptId)) return;
    this.#crashed.add(attemptId);
    throw new SimulatedCrash(`the caller dies ${place} of its submit`);
  }
}

/** What a rank does whose start never came. */
const nothing: Script = { startSeconds: 0, runSeconds: null, end: success, stopSeconds: 0, faults: {} };

function makeRank(attempt: AttemptToRun, rank: AttemptToRun['ranks'][number], script: Script): SimulatedRank {
  const { onDisconnect, timeouts } = attempt.spec;
  return new SimulatedRank({
    attemptId: attempt.attemptId,
    token: attempt.token,
    rank: rank.rank,
    nodeId: rank.nodeId,
    script,
    timeoutSeconds: timeouts.run ?? null,
    stopAfterSeconds: onDisconnect === 'keep' ? null : onDisconnect.stopAfter,
    cpuMilli: rank.cpuMilli,
    deviceMilli: rank.devices.reduce((sum, { milli }) => sum + milli, 0),
  });
}

function lastArrived(rank: SimulatedRank): Report | undefined {
  return rank.reports.filter(({ item }) => item !== null).sort((a, b) => Number(b.item! - a.item!))[0];
}
