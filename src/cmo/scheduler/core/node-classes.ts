/**
 * Which nodes are alike: by row the number of a class of nodes that no request can tell apart (same make, same site, same state, the same free).
 *
 * A fleet has many idle nodes and many that hold the same few kinds of jobs, and a node that gives a job back is again what it was before:
 * so a request is judged once for each class and not for each node, and a change costs each board a look-up. What of a node does not change
 * by placements is a class of its own, its group. Equality is exact, since a wrong one would place what does not fit.
 *
 * Numbers of classes without nodes are kept for a while, because nodes come back to them, then given to others: the log says so.
 */
import { ChangeLog } from './change-log.ts';
import { SequenceTable } from './sequence-table.ts';
import type { Snapshot } from './snapshot.ts';

export interface FreeAmounts {
  readonly cpuMilli: Float64Array;
  readonly memoryBytes: Float64Array;
  readonly diskBytes: Float64Array;
  /** By device row. */
  readonly milli: Int32Array;
}

export class NodeClasses {
  readonly log: ChangeLog;
  /** By node row: its class and its group; −1 for a row that was never looked at. */
  readonly of: Int32Array;
  readonly group: Int32Array;
  /** By class: site row of its nodes. */
  site = new Int32Array(256);
  /** By class: which of those that had its number it is. */
  birth = new Int32Array(256);
  /** Grows when a node's group changes, or where it stands, or another node gets its row. */
  groupRevision = 0;
  readonly #free: FreeAmounts;
  /** Three a node row: its pod, rack and island. */
  readonly #places: Int32Array;
  readonly #states = new SequenceTable();
  readonly #groups = new SequenceTable();
  /** By class: how many nodes; which entry of `#emptied` counts. */
  #members = new Int32Array(256);
  #emptiedAt = new Float64Array(256);
  /** Classes in the order in which they lost their last node; `#emptiedBase` is the position of the first. */
  #emptied: number[] = [];
  #emptiedBase = 0;
  readonly #mostEmpty: number;

  /** @param rows how many node rows there can be */
  constructor(rows: number, free: FreeAmounts) {
    this.#free = free;
    this.log = new ChangeLog(rows);
    this.of = new Int32Array(rows).fill(-1);
    this.group = new Int32Array(rows).fill(-1);
    this.#places = new Int32Array(3 * rows).fill(-1);
    this.#mostEmpty = 1024 + (rows >> 2);
  }

  /** Above every number of a class. */
  get end(): number {
    return this.#states.end;
  }

  /** How many groups are known; those of nodes that are gone are not forgotten. */
  get groupCount(): number {
    return this.#groups.size;
  }

  /** Looks again at what of a node does not change by placements; `update` must follow. */
  regroup({ nodes, devices }: Snapshot, row: number): void {
    const groups = this.#groups;
    const start = nodes.deviceStart[row]!;
    const count = nodes.deviceCount[row]!;
    groups.reserve(7 + 6 * count);
    const values = groups.scratch;
    values[0] = nodes.site[row]!;
    values[1] = nodes.flags[row]!;
    values[2] = nodes.isolation[row]!;
    values[3] = nodes.cpuMilli[row]!;
    values[4] = nodes.memoryBytes[row]!;
    values[5] = nodes.diskBytes[row]!;
    values[6] = nodes.labelSet[row]!;
    let length = 7;
    for (let device = start; device < start + count; device += 1) {
      values[length] = devices.kind[device]!;
      values[length + 1] = devices.model[device]!;
      values[length + 2] = devices.driver[device]!;
      values[length + 3] = devices.memoryBytes[device]!;
      values[length + 4] = devices.milli[device]!;
      values[length + 5] = devices.healthy[device]!;
      length += 6;
    }
    const group = groups.intern(length);
    const moved = this.#place(nodes, row);
    if (this.group[row] === group && !moved) return;
    this.group[row] = group;
    this.groupRevision += 1;
  }

  /** Notes where a node stands, which is no matter of its group; whether it stands elsewhere than before. */
  #place({ pod, rack, island }: Snapshot['nodes'], row: number): boolean {
    const at = 3 * row;
    const places = this.#places;
    if (places[at] === pod[row] && places[at + 1] === rack[row] && places[at + 2] === island[row]) return false;
    places[at] = pod[row]!;
    places[at + 1] = rack[row]!;
    places[at + 2] = island[row]!;
    return true;
  }

  /** Puts a node into the class that it belongs to now. @param kept for whom it is kept, as a number > 0; 0: for nobody */
  update({ nodes }: Snapshot, row: number, kept = 0): void {
    const before = this.of[row]!;
    const to = this.#stateOf(row, nodes.deviceStart[row]!, nodes.deviceCount[row]!, kept);
    const isFresh = this.#states.created;
    if (to === before) return;
    if (isFresh) this.#open(to, nodes.site[row]!);
    this.#members[to]! += 1;
    this.of[row] = to;
    this.log.append(row, before, before >= 0 ? this.site[before]! : -1, to, isFresh);
    if (before >= 0) this.#leave(before);
  }

  /** Another node has the row now: what is known of it by name is void even where it is like the one before. */
  renamed(row: number): void {
    const number = this.of[row]!;
    this.groupRevision += 1;
    if (number >= 0) this.log.append(row, number, this.site[number]!, number, false);
  }

  #stateOf(row: number, start: number, count: number, kept: number): number {
    const states = this.#states;
    states.reserve(5 + count);
    const values = states.scratch;
    values[0] = this.group[row]!;
    values[1] = this.#free.cpuMilli[row]!;
    values[2] = this.#free.memoryBytes[row]!;
    values[3] = this.#free.diskBytes[row]!;
    for (let i = 0; i < count; i += 1) values[4 + i] = this.#free.milli[start + i]!;
    // How many devices there are is told by the group, so one number more says only this.
    values[4 + count] = kept;
    return states.intern(kept === 0 ? 4 + count : 5 + count);
  }

  #open(number: number, site: number): void {
    if (number >= this.site.length) this.#grow();
    this.site[number] = site;
    this.birth[number]! += 1;
    this.#members[number] = 0;
  }

  #leave(number: number): void {
    this.#members[number]! -= 1;
    if (this.#members[number]! > 0) return;
    this.#emptiedAt[number] = this.#emptiedBase + this.#emptied.length;
    this.#emptied.push(number);
    if (this.#emptied.length > 2 * this.#mostEmpty) this.#forgetEmpty();
  }

  /** Gives up the older half of the empty classes. */
  #forgetEmpty(): void {
    const some = this.#emptied.splice(0, this.#mostEmpty);
    for (const [i, number] of some.entries()) {
      const isLast = this.#emptiedAt[number] === this.#emptiedBase + i;
      if (isLast && this.#members[number] === 0) this.#states.remove(number);
    }
    this.#emptiedBase += some.length;
  }

  #grow(): void {
    const size = 2 * this.site.length;
    const grown = <T extends Int32Array | Uint8Array | Float64Array>(column: T, larger: T): T => {
      larger.set(column);
      return larger;
    };
    this.site = grown(this.site, new Int32Array(size));
    this.birth = grown(this.birth, new Int32Array(size));
    this.#members = grown(this.#members, new Int32Array(size));
    this.#emptiedAt = grown(this.#emptiedAt, new Float64Array(size));
  }
}
