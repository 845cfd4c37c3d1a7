/**
 * Which nodes are alike: by row a number that is equal for nodes of the same cpu of which the same is free, on devices of the same make.
 *
 * A fleet has many idle nodes and many that hold the same few kinds of jobs, so a request needs to be scored once for each state and not for
 * each node. The number is a hash of 53 bits: that two states of a fleet of 100,000 nodes share one has a chance of one in a million, and
 * then a node gets its double's score, never a placement that does not fit.
 */
import type { Snapshot } from './snapshot.ts';

export interface FreeAmounts {
  readonly cpuMilli: Float64Array;
  readonly memoryBytes: Float64Array;
  /** By device row. */
  readonly milli: Int32Array;
}

export class NodeStates {
  readonly #snapshot: Snapshot;
  readonly #free: FreeAmounts;
  /** −1 where it must be worked out again. */
  readonly #states: Float64Array;

  constructor(snapshot: Snapshot, free: FreeAmounts) {
    this.#snapshot = snapshot;
    this.#free = free;
    this.#states = new Float64Array(snapshot.nodes.length).fill(-1);
  }

  changed(row: number): void {
    this.#states[row] = -1;
  }

  /** The state of a node, a whole number of 0..2^53 − 1. */
  of(row: number): number {
    const known = this.#states[row]!;
    if (known >= 0) return known;
    const { nodes, devices } = this.#snapshot;
    let low = 0x811c9dc5;
    let high = 0x9e3779b9;
    const add = (value: number) => {
      low = Math.imul(low ^ value, 0x01000193);
      high = Math.imul(high ^ value ^ (low >>> 15), 0x85ebca6b);
      high ^= high >>> 13;
    };
    const addDouble = (value: number) => {
      add(value | 0);
      add(Math.floor(value / 2 ** 32));
    };
    addDouble(nodes.cpuMilli[row]!);
    addDouble(this.#free.cpuMilli[row]!);
    addDouble(this.#free.memoryBytes[row]!);
    const start = nodes.deviceStart[row]!;
    const end = start + nodes.deviceCount[row]!;
    for (let device = start; device < end; device += 1) {
      add(this.#free.milli[device]! * 2 + devices.healthy[device]!);
      add(devices.kind[device]!);
      add(devices.model[device]!);
      add(devices.driver[device]!);
      addDouble(devices.memoryBytes[device]!);
    }
    const state = (high >>> 11) * 2 ** 32 + (low >>> 0);
    this.#states[row] = state;
    return state;
  }
}

const slots = 1024;

/** Values by state, for the states seen last: two states that share a slot push each other out. */
export class StateMemo {
  readonly #states = new Float64Array(slots).fill(-1);
  readonly #values = new Float64Array(slots);

  /** NaN when it is not known. */
  get(state: number): number {
    const slot = slotOf(state);
    return this.#states[slot] === state ? this.#values[slot]! : Number.NaN;
  }

  set(state: number, value: number): void {
    const slot = slotOf(state);
    this.#states[slot] = state;
    this.#values[slot] = value;
  }
}

const slotOf = (state: number) => (state / 2 ** 20) & (slots - 1);
