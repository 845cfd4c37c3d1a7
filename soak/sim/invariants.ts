/**
 * What must hold after every step, counted here anew and not read from the counters that are under test.
 *
 * Grants are summed by device and node from what was committed and released; processes from what machines really run. A machine that
 * is frozen or off runs nothing, whatever it does when it is back.
 */

import type { NodeRow } from '../../src/cmo/scheduler/core/rows.ts';
import type { RankPlacement } from '../../src/common/contract/plan.ts';
import type { Broken } from './broken.ts';
import type { Machine, Process } from './machine.ts';

interface Live {
  readonly machine: Machine;
  readonly process: Process;
}

export class Invariants {
  readonly #broken: Broken;
  /** By device: thousandths by attempt. */
  readonly #granted = new Map<string, Map<string, number>>();
  readonly #nodeOf = new Map<string, string>();
  /** By node: cores by attempt. */
  readonly #cpu = new Map<string, Map<string, number>>();
  readonly #live = new Map<string, Set<Live>>();
  readonly #holding = new Set<string>();

  constructor(broken: Broken) {
    this.#broken = broken;
  }

  /** What was given to an attempt. @param rowOf the nodes as they were when it was given */
  given(attemptId: string, ranks: readonly RankPlacement[], rowOf: (nodeId: string) => NodeRow): void {
    this.#holding.add(attemptId);
    for (const rank of ranks) {
      const row = rowOf(rank.nodeId);
      if (row.presence !== 'ready' || row.scheduling !== 'open') {
        this.#broken.add(
          'only open nodes that are there are given',
          `${row.id} is ${row.presence} and ${row.scheduling}`,
        );
      }
      put(this.#cpu, rank.nodeId, attemptId, rank.cpuMilli);
      const cpu = sum(this.#cpu.get(rank.nodeId)!);
      if (cpu > row.cpuMilli)
        this.#broken.add(
          'no node is given beyond what it has',
          `${row.id}: ${cpu} of ${row.cpuMilli} thousandths of cores`,
        );
      for (const { deviceId, milli } of rank.devices) {
        put(this.#granted, deviceId, attemptId, milli);
        this.#nodeOf.set(deviceId, row.id);
        const device = row.devices.find(({ id }) => id === deviceId);
        const used = sum(this.#granted.get(deviceId)!);
        if (used > (device?.milli ?? 0)) {
          this.#broken.add(
            'no device is given beyond what it has',
            `${deviceId}: ${used} of ${device?.milli ?? 0} thousandths`,
          );
        }
        if (device?.healthy === false) this.#broken.add('no device that is dead is given', deviceId);
      }
    }
  }

  released(attemptId: string): void {
    this.#holding.delete(attemptId);
    for (const held of [...this.#granted.values(), ...this.#cpu.values()]) held.delete(attemptId);
  }

  /** The counters of a node after a transaction that changed it. */
  counters(row: NodeRow): void {
    const cpu = sum(this.#cpu.get(row.id) ?? new Map());
    if (row.usedCpuMilli !== cpu)
      this.#broken.add('counters are the sum of what is held', `${row.id}: ${row.usedCpuMilli} used, ${cpu} held`);
    if (row.usedCpuMilli > row.cpuMilli)
      this.#broken.add('used stays within capacity', `${row.id}: ${row.usedCpuMilli} of ${row.cpuMilli}`);
    const seen = new Set<string>();
    for (const { id, usedMilli, milli } of row.devices) {
      seen.add(id);
      const held = sum(this.#granted.get(id) ?? new Map());
      if (usedMilli !== held)
        this.#broken.add('counters are the sum of what is held', `${id}: ${usedMilli} used, ${held} held`);
      if (usedMilli > milli) this.#broken.add('used stays within capacity', `${id}: ${usedMilli} of ${milli}`);
    }
    for (const [device, held] of this.#granted) {
      if (held.size === 0 || seen.has(device) || this.#nodeOf.get(device) !== row.id) continue;
      this.#broken.add('used stays within capacity', `${device}: ${sum(held)} held of a device that has nothing`);
    }
  }

  /** A rank was seen to be in a state. */
  rankMoved(attemptId: string, from: keyof typeof rankOrder, to: keyof typeof rankOrder): void {
    if (rankOrder[to] < rankOrder[from])
      this.#broken.add('ranks only move forwards', `${attemptId}: from ${from} to ${to}`);
  }

  /** An attempt ended. */
  ended(attemptId: string): void {
    if (this.#holding.has(attemptId)) this.#broken.add('what has ended holds nothing', attemptId);
  }

  began(machine: Machine, process: Process): void {
    const { jobId, attemptId, devices } = process.start;
    const live = this.#live.get(jobId) ?? new Set();
    for (const other of live) {
      if (other.process.start.attemptId === attemptId || !moves(other.machine) || !moves(machine)) continue;
      this.#broken.add(
        'one attempt of a job runs at a time',
        `${jobId}: ${other.process.start.attemptId} and ${attemptId}`,
      );
    }
    this.#live.set(jobId, live.add({ machine, process }));
    const onMachine = new Map<string, number>();
    for (const { start } of machine.processes) {
      for (const { deviceId, milli } of start.devices) onMachine.set(deviceId, (onMachine.get(deviceId) ?? 0) + milli);
    }
    for (const { deviceId } of devices) {
      if (onMachine.get(deviceId)! > 1000) this.#broken.add('no device is used twice', `${deviceId} on ${machine.id}`);
    }
  }

  ceased(process: Process): void {
    const live = this.#live.get(process.start.jobId);
    for (const one of live ?? []) if (one.process === process) live!.delete(one);
    if (live?.size === 0) this.#live.delete(process.start.jobId);
  }

  /** A write was taken. */
  wrote(jobId: string, token: bigint, newest: bigint): void {
    if (token < newest)
      this.#broken.add('only the newest attempt has effects', `${jobId}: token ${token}, newest ${newest}`);
  }

  /** When all is over. */
  over(): void {
    if (this.#holding.size > 0)
      this.#broken.add('every reservation ends', `${this.#holding.size} attempts still hold something`);
    if (this.#live.size > 0) this.#broken.add('nothing runs on', `${this.#live.size} jobs have processes`);
  }
}

const rankOrder = { placed: 0, starting: 1, running: 2, ended: 3 } as const;

const moves = (machine: Machine): boolean => machine.isOn && !machine.isFrozen;

function put(map: Map<string, Map<string, number>>, key: string, attempt: string, amount: number): void {
  map.set(key, (map.get(key) ?? new Map<string, number>()).set(attempt, amount));
}

const sum = (amounts: ReadonlyMap<string, number>): number =>
  [...amounts.values()].reduce((total, one) => total + one, 0);
