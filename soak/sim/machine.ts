/**
 * A simulated node: agent, supervisors and processes, with everything that befalls real ones.
 *
 * It can lose its network (work goes on, reports wait on disk, supervisors end work `stopAfter` after the last acknowledged heartbeat),
 * lose its power (processes are gone, the disk is not), or be frozen from outside (nothing moves, not even the supervisors' clocks,
 * until it thaws and everything that was due happens at once). What it says of time is as wrong as its clock.
 */
import type { RankEnd, RankObservation } from '../../src/cmo/orchestrator/backends/backend.ts';
import type { Protection } from './protections.ts';
import type { VirtualTime } from './virtual-time.ts';

export interface Start {
  readonly kind: 'start';
  readonly attemptId: string;
  readonly jobId: string;
  readonly token: bigint;
  readonly rank: number;
  readonly devices: readonly { readonly deviceId: string; readonly milli: number }[];
  readonly startMs: number;
  readonly runMs: number;
  readonly end: { readonly reason: RankEnd; readonly exitCode: number | null };
  readonly stopMs: number;
  /** From the last acknowledged heartbeat; null: never. */
  readonly stopAfterMs: number | null;
  /** The report of its end says nothing of when it began: its supervisor died with the first half of what it knew. */
  readonly forgetsTimes: boolean;
}

export interface Stop {
  readonly kind: 'stop';
  readonly attemptId: string;
  readonly jobId: string;
  readonly token: bigint;
  readonly rank: number;
}

export type Command = Start | Stop;

/** A report of a rank, with instants by the machine's clock. */
export type MachineReport = RankObservation & { readonly state: 'starting' | 'running' | 'ended' };

export interface Process {
  readonly start: Start;
  startedAt: number | null;
  isStopping: boolean;
}

/** What machines tell the outside. */
export interface Outside {
  /** A report leaves the machine. */
  send(machine: Machine, report: MachineReport): void;
  /** A process came to be, or ceased. */
  began(machine: Machine, process: Process): void;
  ceased(machine: Machine, process: Process): void;
  /** A process wrote a checkpoint, or its result, under its token. */
  wrote(start: Start): void;
}

const heartbeatMs = 5_000;

export class Machine {
  readonly id: string;
  readonly #time: VirtualTime;
  readonly #outside: Outside;
  readonly #without: ReadonlySet<Protection>;
  isOn = true;
  isFrozen = false;
  /** Since when nothing goes in or out; null: connected. */
  lostSince: number | null = null;
  /** How wrong its wall clock is, milliseconds. */
  skewMs = 0;
  readonly #processes = new Map<string, Process>();
  /** By rank of attempt: what it said last; on disk. */
  readonly #said = new Map<string, MachineReport>();
  readonly #fences = new Map<string, bigint>();
  #outbox: MachineReport[] = [];
  #due: (() => void)[] = [];

  constructor(id: string, time: VirtualTime, outside: Outside, without: ReadonlySet<Protection>) {
    this.id = id;
    this.#time = time;
    this.#outside = outside;
    this.#without = without;
  }

  /** The last heartbeat that was acknowledged, by everybody's clock. */
  get lastAckedAt(): number {
    const at = this.lostSince ?? this.#time.now;
    return at - (at % heartbeatMs);
  }

  get isReachable(): boolean {
    return this.isOn && !this.isFrozen && this.lostSince === null;
  }

  get processes(): readonly Process[] {
    return [...this.#processes.values()];
  }

  /** A command reaches the machine; one that arrives at a frozen one is read when it thaws. */
  receive(command: Command): void {
    this.#when(0, () => (command.kind === 'start' ? this.#start(command) : this.#stop(command)));
  }

  #start(start: Start): void {
    const key = keyOf(start);
    const said = this.#said.get(key);
    if (said !== undefined) {
      this.#say(said);
      return;
    }
    const newest = this.#fences.get(start.jobId) ?? 0n;
    if (start.token < newest) return;
    if (start.token > newest) this.#fences.set(start.jobId, start.token);
    if (this.#isOverdue(start)) {
      this.#report(start, { state: 'ended', end: endOf('disconnected', null), endedAt: this.#clock() });
      return;
    }
    const process: Process = { start, startedAt: null, isStopping: false };
    this.#processes.set(key, process);
    this.#outside.began(this, process);
    this.#report(start, { state: 'starting' });
    this.#watch(process);
    this.#when(start.startMs, () => this.#begin(process));
  }

  #begin(process: Process): void {
    if (!this.#lives(process) || process.isStopping) return;
    if (process.start.end.reason === 'start-failed') {
      this.#end(process, 'start-failed', null);
      return;
    }
    process.startedAt = this.#time.now;
    this.#report(process.start, { state: 'running', startedAt: this.#clock() });
    this.#when(process.start.runMs / 2, () => {
      if (this.#lives(process)) this.#outside.wrote(process.start);
    });
    this.#when(process.start.runMs, () => {
      if (!this.#lives(process)) return;
      this.#outside.wrote(process.start);
      this.#end(process, process.start.end.reason, process.start.end.exitCode);
    });
  }

  #stop({ attemptId, jobId, token, rank }: Stop): void {
    const key = keyOf({ attemptId, rank });
    const process = this.#processes.get(key);
    if (process !== undefined) {
      if (process.isStopping) return;
      process.isStopping = true;
      this.#when(process.start.stopMs, () => this.#end(process, 'stopped', null));
      return;
    }
    const said = this.#said.get(key);
    if (said !== undefined) {
      this.#say(said);
      return;
    }
    const never = { state: 'ended' as const, end: endOf('never-started', null), endedAt: this.#clock() };
    if (this.#without.has('neverStarted')) {
      this.#say({ attemptId, token, rank, ...never });
      return;
    }
    if (token > (this.#fences.get(jobId) ?? 0n)) this.#fences.set(jobId, token);
    this.#report({ attemptId, token, rank }, never);
  }

  /** Ends everything on a device that died. */
  loseDevice(deviceId: string): void {
    for (const process of this.#processes.values()) {
      if (!process.start.devices.some((share) => share.deviceId === deviceId)) continue;
      this.#when(0, () => this.#end(process, 'signalled', null));
    }
  }

  loseContact(): void {
    if (this.lostSince !== null) return;
    this.lostSince = this.#time.now;
    for (const process of this.#processes.values()) this.#watch(process);
  }

  powerOff(): void {
    this.loseContact();
    this.isOn = false;
    this.#due = [];
    for (const process of this.#processes.values()) this.#outside.ceased(this, process);
  }

  freeze(): void {
    this.loseContact();
    this.isFrozen = true;
  }

  /** Everything is back: what was due happens, supervisors first, and what was kept is sent. */
  restore(): void {
    if (!this.isOn) {
      this.isOn = true;
      const gone = [...this.#processes.values()];
      this.#processes.clear();
      for (const { start } of gone) {
        this.#report(start, { state: 'ended', end: endOf('supervisor-lost', null), endedAt: this.#clock() });
      }
    }
    if (this.isFrozen) {
      this.isFrozen = false;
      for (const process of [...this.#processes.values()]) {
        // A moment passes before the supervisor looks at the clock; whatever is written in it must be refused outside.
        this.#outside.wrote(process.start);
        this.#fence(process);
      }
      for (const happen of this.#due.splice(0)) happen();
    }
    this.lostSince = null;
    for (const observation of this.#outbox.splice(0)) this.#outside.send(this, observation);
  }

  /** Ends a process that has gone without contact for as long as it may. */
  #watch(process: Process): void {
    const { stopAfterMs } = process.start;
    if (this.lostSince === null || stopAfterMs === null) return;
    const at = Math.max(this.#time.now, this.lastAckedAt + stopAfterMs);
    this.#time.at(at, () => {
      if (this.isOn && !this.isFrozen) this.#fence(process);
    });
  }

  #fence(process: Process): void {
    if (this.#isOverdue(process.start)) this.#end(process, 'disconnected', null);
  }

  #isOverdue({ stopAfterMs }: Start): boolean {
    if (this.#without.has('selfFence') || stopAfterMs === null || this.lostSince === null) return false;
    return this.#time.now >= this.lastAckedAt + stopAfterMs;
  }

  #lives = (process: Process): boolean => this.#processes.get(keyOf(process.start)) === process;

  #end(process: Process, reason: RankEnd, exitCode: number | null): void {
    if (!this.#lives(process)) return;
    this.#processes.delete(keyOf(process.start));
    this.#outside.ceased(this, process);
    const { startedAt, start } = process;
    const times =
      startedAt === null || start.forgetsTimes
        ? {}
        : { startedAt: this.#clock(startedAt), ranSeconds: (this.#time.now - startedAt) / 1000 };
    this.#report(start, { state: 'ended', end: endOf(reason, exitCode), endedAt: this.#clock(), ...times });
  }

  #report(
    { attemptId, token, rank }: Pick<Start, 'attemptId' | 'token' | 'rank'>,
    what: Omit<MachineReport, 'attemptId' | 'token' | 'rank'>,
  ): void {
    const observation: MachineReport = { attemptId, token, rank, ...what };
    this.#said.set(keyOf({ attemptId, rank }), observation);
    this.#say(observation);
  }

  #say(observation: MachineReport): void {
    if (this.isReachable) this.#outside.send(this, observation);
    else this.#outbox.push(observation);
  }

  /** Lets something happen on the machine later: not while it is off, and when it is frozen after it has thawed. */
  #when(ms: number, happen: () => void): void {
    const run = () => {
      if (!this.isOn) return;
      if (this.isFrozen) this.#due.push(happen);
      else happen();
    };
    if (ms === 0) run();
    else this.#time.in(ms, run);
  }

  #clock(at = this.#time.now): Date {
    return new Date(at + this.skewMs);
  }
}

const keyOf = ({ attemptId, rank }: { readonly attemptId: string; readonly rank: number }): string =>
  `${attemptId}/${rank}`;

const endOf = (reason: RankEnd, exitCode: number | null) => ({ reason, exitCode, signal: null, message: null });
