/**
 * Carries out kills one after the other: waits for its place or moment, kills by process id, sees to it that everything
 * comes back, and measures how long that took.
 */
import { setTimeout as pause } from 'node:timers/promises';
import type { FailpointName } from '../../src/common/failpoints.ts';
import { until } from '../../tests/support/until.ts';
import type { JobKind } from './jobs.ts';
import type { Kill, Target } from './kills.ts';
import type { Load } from './load.ts';
import { type Drivers, places } from './places.ts';
import { childrenOf, guardiansOf, isRunning, runtimesOf } from './processes.ts';
import { type Random, randomOf } from './random.ts';
import type { AgentName, Stand } from './stand.ts';

/** How long a failpoint may stay unreached before it is given up, ms. */
const patienceMs = 45_000;
const lookEveryMs = 20;
/** Looks between jobs that are submitted to get there. */
const wantEveryLooks = 150;
const visitEveryLooks = 20;
const recoveryMs = 60_000;

export interface KillRecord {
  readonly what: string;
  readonly target: Target;
  /** From the kill (of a control plane: from its next start) until everything answers again, ms; null: nothing to wait for. */
  readonly recoveredMs: number | null;
}

export class Killer {
  readonly records: KillRecord[] = [];
  /** Armed, and nobody came. */
  readonly unreached: FailpointName[] = [];
  /** Attempts whose container was left to nobody: it ran on until the agent came back, and what it said then nobody heard. */
  readonly orphaned = new Set<string>();
  readonly #stand: Stand;
  readonly #load: Load;
  readonly #random: Random;

  constructor(stand: Stand, load: Load, seed: number) {
    this.#stand = stand;
    this.#load = load;
    this.#random = randomOf(seed, 'victims');
  }

  /** @returns whether something was killed @throws Error when something does not come back */
  async carryOut(kill: Kill): Promise<boolean> {
    await pause(kill.afterMs);
    if (kill.at === 'failpoint') return this.#atFailpoint(kill.name, kill.awayMs);
    return this.#atMoment(kill.target, kill.awayMs);
  }

  async #atFailpoint(name: FailpointName, awayMs: number): Promise<boolean> {
    const stand = this.#stand;
    const second = stand.agentPid('second-agent');
    const sessions = await stand.sessions();
    const { jobs, push } = places[name];
    stand.arm(name);
    // Nodes say hello only when they must.
    if (push === 'hello' && second !== undefined) process.kill(second, 'SIGKILL');
    const giveUpAt = performance.now() + patienceMs;
    let pid: number | undefined;
    for (let looks = 0; pid === undefined && performance.now() < giveUpAt; looks += 1) {
      if (looks % wantEveryLooks === 0) this.#load.want(...jobs);
      if (push === 'visit' && looks % visitEveryLooks === 0) this.#load.visit();
      if (push === 'orphan' && looks % wantEveryLooks === wantEveryLooks - 1) this.#orphan();
      await pause(lookEveryMs);
      pid = stand.fired(name);
    }
    pid ??= stand.disarm(name);
    if (pid === undefined) {
      this.unreached.push(name);
      return false;
    }
    const target = this.#targetOf(name, pid, second);
    await this.#recover(name, target, sessions, awayMs);
    return true;
  }

  async #atMoment(target: Target, awayMs: number): Promise<boolean> {
    const stand = this.#stand;
    const sessions = await stand.sessions();
    const victims = await this.#await(target);
    if (victims.length === 0) return false;
    const database = stand.databasePid();
    for (const pid of victims) kill(pid);
    if (target === 'control-plane-starting') await this.#killStarting();
    await this.#recover('moment', target, sessions, awayMs, victims.includes(database ?? 0) ? database : undefined);
    return true;
  }

  /** Victims that only jobs bring are waited for. */
  async #await(target: Target): Promise<number[]> {
    const giveUpAt = performance.now() + (isKillable(target, this.#stand.drivers) ? patienceMs : 0);
    for (let looks = 0; ; looks += 1) {
      const victims = this.#victims(target);
      if (victims.length > 0 || performance.now() > giveUpAt) return victims;
      if (looks % wantEveryLooks === 0) this.#load.want(...(bringers[target] ?? []));
      await pause(lookEveryMs);
    }
  }

  #victims(target: Target): number[] {
    const stand = this.#stand;
    const present = (...pids: (number | undefined)[]) => pids.filter((pid) => pid !== undefined);
    switch (target) {
      case 'control-plane':
      case 'control-plane-starting':
        return [stand.product.pid];
      case 'agent':
      case 'second-agent':
        return present(stand.agentPid(target));
      case 'supervisor':
        return this.#pick(stand.liveAttempts()).map(({ supervisorPid }) => supervisorPid);
      case 'supervisor-and-guardian':
        return this.#keepers('podman');
      case 'runtime': {
        const boxed = stand.liveAttempts().filter(({ driver }) => driver !== null);
        return this.#pick(boxed.flatMap(({ attemptId }) => runtimesOf(attemptId)));
      }
      case 'database':
        return present(stand.databasePid());
      case 'database-backend': {
        const pid = stand.databasePid();
        const backends = pid === undefined ? [] : childrenOf(pid);
        return backends.length === 0 ? [] : [this.#random.pick(backends)];
      }
      case 'control-plane-and-database':
        return present(stand.product.pid, stand.databasePid());
      case 'everything':
        return present(stand.product.pid, stand.agentPid('agent'), stand.agentPid('second-agent'), stand.databasePid());
    }
  }

  #pick<T>(items: readonly T[]): T[] {
    return items.length === 0 ? [] : [this.#random.pick(items)];
  }

  /** Both who would end a container of an engine, the guardian first; nobody where all such are dead already. */
  #keepers(driver: 'podman'): number[] {
    const held = this.#stand
      .liveAttempts()
      .filter((attempt) => attempt.driver === driver && isRunning(attempt.supervisorPid));
    return this.#pick(held).flatMap(({ attemptId, supervisorPid }) => {
      this.orphaned.add(attemptId);
      return [...guardiansOf(attemptId), supervisorPid];
    });
  }

  /** Leaves a container to nobody, and the agent with the question whose it is; the one that comes to answer is spared. */
  #orphan(): void {
    const agent = this.#stand.agentPid('second-agent');
    const keepers = agent === undefined ? [] : this.#keepers('podman');
    if (agent === undefined || keepers.length === 0) return;
    for (const pid of [agent, ...keepers]) kill(pid);
  }

  /** Kills the next control plane before it is ready. */
  async #killStarting(): Promise<void> {
    await this.#stand.product.ended();
    const starting = this.#stand.up().catch(() => undefined);
    await pause(this.#random.whole(150, 1_500));
    await this.#stand.product.kill('SIGKILL');
    await starting;
  }

  async #recover(
    place: string,
    target: Target,
    sessions: ReadonlyMap<string, string>,
    awayMs: number,
    database?: number,
  ): Promise<void> {
    const stand = this.#stand;
    let began = performance.now();
    if (restarts(target)) {
      await stand.product.ended();
      await pause(awayMs);
      began = performance.now();
      await stand.up();
    }
    await until(
      `everything answers after the death of ${target} at ${place}`,
      () => this.#isBack(target, sessions, database),
      recoveryMs,
    );
    const recoveredMs = ofAttempts.has(target) ? null : performance.now() - began;
    this.records.push({ what: place, target, recoveredMs });
  }

  /** Whose process it was, by the place where it died. */
  #targetOf(name: FailpointName, pid: number, second: number | undefined): Target {
    if (/^(?:supervisor|spare)\.|-enter$/.test(name)) return 'supervisor';
    if (!/^(?:agent|image|container)\./.test(name)) return 'control-plane';
    return pid === second || pid === this.#stand.agentPid('second-agent') ? 'second-agent' : 'agent';
  }

  async #isBack(target: Target, sessions: ReadonlyMap<string, string>, database: number | undefined): Promise<boolean> {
    const stand = this.#stand;
    if (database !== undefined && (stand.databasePid() ?? database) === database) return false;
    const names: AgentName[] = target === 'everything' ? ['agent', 'second-agent'] : [];
    if (target === 'agent' || target === 'second-agent') names.push(target);
    const now = await stand.sessions().catch(() => undefined);
    if (now === undefined) return false;
    for (const name of names) {
      const node = name === 'agent' ? 'first' : 'second';
      if (!now.has(node) || now.get(node) === sessions.get(node)) return false;
    }
    return stand.answers();
  }
}

/** Jobs that bring victims. */
const bringers: Readonly<Partial<Record<Target, readonly JobKind[]>>> = {
  supervisor: ['long'],
  runtime: ['boxed'],
  'supervisor-and-guardian': ['boxed-gang'],
};

const isKillable = (target: Target, { first, second }: Drivers): boolean => {
  if (target === 'supervisor-and-guardian') return first === 'podman' || second === 'podman';
  return target !== 'runtime' || first !== null;
};

/** Whose death only their own attempt feels. */
const ofAttempts: ReadonlySet<Target> = new Set(['supervisor', 'supervisor-and-guardian', 'runtime']);

function kill(pid: number): void {
  try {
    process.kill(pid, 'SIGKILL');
  } catch {
    // Ended by itself in between.
  }
}

/** Whether somebody must start the control plane again. */
const restarts = (target: Target): boolean =>
  ['control-plane', 'control-plane-starting', 'control-plane-and-database', 'everything'].includes(target);
