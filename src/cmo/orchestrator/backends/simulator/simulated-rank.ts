/**
 * One rank on a simulated node: a supervisor that starts, runs, is stopped, ends itself without contact, and reports.
 *
 * It moves only when it is asked (`advance`), and always before anything is done to it, so between two calls nothing
 * else has changed and its events can be worked out from their times, on any clock.
 */
import type { RankObservation } from '../backend.ts';
import type { Script, ScriptedEnd } from './script.ts';

export interface RankTraits {
  readonly attemptId: string;
  readonly token: bigint;
  readonly rank: number;
  readonly nodeId: string;
  readonly script: Script;
  /** Seconds; null: no limit. */
  readonly timeoutSeconds: number | null;
  /** Seconds without contact after which it ends itself; null: never. */
  readonly stopAfterSeconds: number | null;
  readonly cpuMilli: number;
  readonly deviceMilli: number;
}

/** How the node is connected. */
export interface NodeLink {
  /** Since when contact is lost, milliseconds; null: it is there. */
  readonly lostSinceMs: number | null;
  readonly isOff: boolean;
}

export interface Report {
  /** Set once it arrived. */
  item: bigint | null;
  arrivesAtMs: number;
  settled: boolean;
  readonly observation: RankObservation;
}

/** Model of power: watts of a busy core and of a busy device. */
const watts = { core: 10, device: 300 };

export class SimulatedRank {
  readonly traits: RankTraits;
  readonly reports: Report[] = [];
  state: 'sent' | 'starting' | 'running' | 'ended' = 'sent';
  #deliveredAtMs = 0;
  #startedAtMs: number | null = null;
  #stop: { atMs: number; graceMs: number } | null = null;

  constructor(traits: RankTraits) {
    this.traits = traits;
  }

  /** Whether its process exists. */
  get isRunning(): boolean {
    return this.state === 'starting' || this.state === 'running';
  }

  /** The start command reaches the node. */
  deliver(nowMs: number): void {
    if (this.state !== 'sent') return;
    this.#deliveredAtMs = nowMs;
    if (this.#stop) this.#end(nowMs, never, nowMs);
    else {
      this.state = 'starting';
      this.#report('starting', nowMs, nowMs);
    }
  }

  /** The stop command reaches the node. */
  stop(nowMs: number, graceSeconds: number): void {
    this.#stop ??= { atMs: nowMs, graceMs: graceSeconds * 1000 };
  }

  /** Next instant at which something happens by itself; null: nothing will. */
  nextAtMs(link: NodeLink): number | null {
    return this.#next(link)?.atMs ?? null;
  }

  /** Lets happen what happened up to now. */
  advance(nowMs: number, link: NodeLink): void {
    for (let next = this.#next(link); next && next.atMs <= nowMs; next = this.#next(link)) {
      const heardAtMs = link.lostSinceMs === null ? next.atMs : Number.POSITIVE_INFINITY;
      if (next.end) this.#end(next.atMs, next.end, heardAtMs);
      else {
        this.state = 'running';
        this.#startedAtMs = next.atMs;
        this.#report('running', next.atMs, heardAtMs);
      }
    }
  }

  /** Contact is back: what was kept on disk arrives now. */
  catchUp(nowMs: number): void {
    for (const report of this.reports) {
      if (report.arrivesAtMs === Number.POSITIVE_INFINITY) report.arrivesAtMs = nowMs;
    }
  }

  /** The machine lost power; whoever finds it again finds nothing. */
  loseAll(nowMs: number, heardAtMs: number): void {
    if (this.isRunning) this.#end(nowMs, vanished, heardAtMs);
  }

  #next(link: NodeLink): { atMs: number; end: ScriptedEnd | null } | null {
    if (!this.isRunning || link.isOff) return null;
    const { script, timeoutSeconds, stopAfterSeconds } = this.traits;
    const candidates: { atMs: number; end: ScriptedEnd | null }[] = [];
    if (this.state === 'starting') {
      const atMs = this.#deliveredAtMs + script.startSeconds * 1000;
      candidates.push({ atMs, end: script.end.reason === 'start-failed' ? script.end : null });
    } else {
      const began = this.#startedAtMs!;
      if (script.runSeconds !== null) candidates.push({ atMs: began + script.runSeconds * 1000, end: script.end });
      if (timeoutSeconds !== null) candidates.push({ atMs: began + timeoutSeconds * 1000, end: overtime });
    }
    if (this.#stop) {
      const pauseMs = Math.min(script.stopSeconds * 1000, this.#stop.graceMs);
      candidates.push({ atMs: Math.max(this.#stop.atMs, this.#deliveredAtMs) + pauseMs, end: stopped });
    }
    if (link.lostSinceMs !== null && stopAfterSeconds !== null) {
      candidates.push({ atMs: link.lostSinceMs + stopAfterSeconds * 1000, end: disconnected });
    }
    return candidates.sort((a, b) => a.atMs - b.atMs)[0] ?? null;
  }

  #end(atMs: number, end: ScriptedEnd, heardAtMs: number): void {
    this.state = 'ended';
    const ranSeconds = this.#startedAtMs === null ? undefined : (atMs - this.#startedAtMs) / 1000;
    this.#report('ended', atMs, heardAtMs, { end, ...(ranSeconds !== undefined && this.#usage(ranSeconds)) });
  }

  #usage(ranSeconds: number): Pick<RankObservation, 'ranSeconds' | 'usage'> {
    const { cpuMilli, deviceMilli } = this.traits;
    const power = (cpuMilli * watts.core + deviceMilli * watts.device) / 1000;
    return {
      ranSeconds,
      usage: {
        cpuSeconds: (ranSeconds * cpuMilli) / 1000,
        peakMemoryBytes: 2 ** 20,
        energyJoules: ranSeconds * power,
        energySource: 'modelled',
      },
    };
  }

  #report(
    state: 'starting' | 'running' | 'ended',
    atMs: number,
    heardAtMs: number,
    more: Partial<RankObservation> = {},
  ): void {
    const { attemptId, token, rank, script } = this.traits;
    const observation: RankObservation = {
      attemptId,
      token,
      rank,
      state,
      ...(this.#startedAtMs !== null && { startedAt: new Date(this.#startedAtMs) }),
      ...(state === 'ended' && { endedAt: new Date(atMs) }),
      ...more,
    };
    const { reportDelaySeconds = 0, duplicateReports = false, reorderReports = false } = script.faults;
    const add = (pauseMs: number) =>
      this.reports.push({ item: null, arrivesAtMs: heardAtMs + pauseMs, settled: false, observation });
    const lateMs = reportDelaySeconds * 1000;
    if (reorderReports && state === 'running') {
      const runMs = (script.runSeconds ?? 0) * 1000;
      add(runMs + lateMs + 2_000);
      return;
    }
    add(lateMs);
    if (duplicateReports) add(lateMs + 1_000);
    if (reorderReports && state === 'ended') add(lateMs + 4_000);
  }
}

const scripted = (reason: ScriptedEnd['reason'], signal: string | null, message: string): ScriptedEnd => ({
  reason,
  exitCode: null,
  signal,
  message,
});
const stopped = scripted('stopped', 'SIGTERM', 'stopped as asked');
const overtime = scripted('timed-out', 'SIGTERM', 'ran longer than its time-out');
const disconnected = scripted('disconnected', 'SIGKILL', 'no contact with the control plane');
const vanished = scripted('supervisor-lost', null, 'the node no longer has anything of this attempt');
const never = scripted('never-started', null, 'stopped before it was started');
