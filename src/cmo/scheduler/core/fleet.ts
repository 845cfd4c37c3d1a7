/**
 * What is free while rounds plan: copies of the snapshot's counters, from which placements take, and what is kept for jobs
 * that wait (`reserve.ts`). The snapshot itself stays as it was, so a round can be repeated on it.
 *
 * Making one looks at every node, so the running scheduler keeps one from round to round (`standing-fleet.ts`) and reads the nodes again that
 * changed since; what it is then does not differ from one that is made anew. Free is never trusted beyond capacity, and comparisons
 * are written so that NaN means "does not fit".
 */
import { type Fragmentation, PowerCost } from '../../../drm/allocator/packing/index.ts';
import { DeviceTypes } from './device-types.ts';
import { fragmentationOf } from './fragmentation.ts';
import { NodeClasses } from './node-classes.ts';
import type { NodeRequest } from './request.ts';
import type { RunningJob } from './running.ts';
import { RunningBook } from './running-book.ts';
import type { AccountTree } from './shares/account.ts';
import { type Amounts, fleetAmounts } from './shares/resources.ts';
import type { ExpectedShape, Snapshot } from './snapshot.ts';

/** By what nodes are scored: good as long as neither the expected workload nor what a watt is worth changes. */
export interface Scoring {
  /** Undefined: fragmentation is not looked at. */
  readonly workload: readonly ExpectedShape[] | undefined;
  /** What placements do to what can still be placed. */
  readonly fragmentation: Fragmentation | undefined;
  /** What placements cost in power at the load that the round starts with; undefined when the snapshot has no figures. */
  readonly power: PowerCost | undefined;
  /** Share of the devices that counts as held, 0..1; undefined when power is not looked at. */
  readonly load: number | undefined;
}

const unscored: Scoring = { workload: undefined, fragmentation: undefined, power: undefined, load: undefined };

export class Fleet {
  #snapshot: Snapshot;
  readonly cpuMilli: Float64Array;
  readonly memoryBytes: Float64Array;
  readonly diskBytes: Float64Array;
  /** By device row. */
  readonly milli: Int32Array;
  readonly deviceTypes: DeviceTypes;
  /** By node row: thousandths free on all its healthy devices, and in all. */
  readonly nodeMilliFree: Float64Array;
  readonly nodeMilli: Float64Array;
  readonly classes: NodeClasses;
  /** Rows by id, made when somebody asks; and ids by row as they stand there. */
  #rowOf: Map<string, number> | undefined;
  readonly #idOf: string[] = [];
  #book: RunningBook | undefined;
  #bookAt = -1;
  /** What of the running work has changed since the book was made. */
  #runningChanges = new Map<string, RunningJob | null>();
  #amounts: Amounts | undefined;
  #amountsAt = -1;
  #scoring = unscored;
  /** A scoring that is made ready beside the one in use. */
  #nextScoring: Scoring | undefined;
  /** By node row: for whom the node is kept; undefined when for nobody. */
  readonly #kept = new Map<number, NodeRequest>();
  /** Numbers of those for whom nodes were ever kept, by which nodes that are alike and kept for one job stay alike. */
  readonly #keptNumbers = new WeakMap<NodeRequest, number>();
  #keptCount = 0;
  /** Rows that differ from the snapshot by what was taken or kept. */
  readonly #touched = new Set<number>();

  /** @param workload what is expected to come; undefined: fragmentation is not looked at */
  constructor(snapshot: Snapshot, workload?: readonly ExpectedShape[]) {
    const nodes = snapshot.nodes.site.length;
    const devices = snapshot.devices.kind.length;
    this.#snapshot = snapshot;
    this.cpuMilli = new Float64Array(nodes);
    this.memoryBytes = new Float64Array(nodes);
    this.diskBytes = new Float64Array(nodes);
    this.milli = new Int32Array(devices);
    this.nodeMilliFree = new Float64Array(nodes);
    this.nodeMilli = new Float64Array(nodes);
    this.classes = new NodeClasses(nodes, this);
    this.deviceTypes = new DeviceTypes(snapshot);
    for (let row = 0; row < snapshot.nodes.length; row += 1) this.#read(row);
    this.#scoring = this.scoringFor(workload);
  }

  get snapshot(): Snapshot {
    return this.#snapshot;
  }

  /** What the fleet has in all. */
  get amounts(): Amounts {
    if (this.#amounts === undefined || this.#amountsAt !== this.classes.groupRevision) {
      this.#amounts = fleetAmounts(this.#snapshot);
      this.#amountsAt = this.classes.groupRevision;
    }
    return this.#amounts;
  }

  /** Row of a node; −1 when it is gone. */
  rowOf(nodeId: string): number {
    if (this.#rowOf === undefined) {
      this.#rowOf = new Map();
      for (const [row, id] of this.#idOf.entries()) this.#rowOf.set(id, row);
    }
    return this.#rowOf.get(nodeId) ?? -1;
  }

  #name(row: number): void {
    const id = this.#snapshot.nodes.ids[row]!;
    const before = this.#idOf[row];
    if (before === id) return;
    this.#idOf[row] = id;
    if (before !== undefined) this.classes.renamed(row);
    if (this.#rowOf === undefined) return;
    if (before !== undefined && this.#rowOf.get(before) === row) this.#rowOf.delete(before);
    this.#rowOf.set(id, row);
  }

  /** Tells which work runs otherwise since the last snapshot; what is not told does. */
  noteRunning(changes: ReadonlyMap<string, RunningJob | null>): void {
    if (this.#book === undefined) return;
    for (const [id, job] of changes) this.#runningChanges.set(id, job);
  }

  /** What runs, by the snapshot. Made anew when nodes or devices are others than before. */
  runningBook(tree: AccountTree): RunningBook {
    const { groupRevision } = this.classes;
    if (this.#book === undefined || this.#book.tree !== tree || this.#bookAt !== groupRevision) {
      this.#book = new RunningBook(this, tree);
      this.#bookAt = groupRevision;
    } else {
      for (const [id, job] of this.#runningChanges) this.#book.set(id, job);
    }
    this.#runningChanges.clear();
    return this.#book;
  }

  get fragmentation(): Fragmentation | undefined {
    return this.#scoring.fragmentation;
  }

  get power(): PowerCost | undefined {
    return this.#scoring.power;
  }

  get scoring(): Scoring {
    return this.#scoring;
  }

  /** Takes over a snapshot on the same columns. @param changed rows of nodes that may differ from what was read last */
  refresh(snapshot: Snapshot, changed: Iterable<number>): void {
    this.#snapshot = snapshot;
    this.#kept.clear();
    for (const row of changed) this.#touched.add(row);
    for (const row of this.#touched) this.#read(row);
    this.#touched.clear();
    this.deviceTypes.refresh(snapshot, this.classes.groupRevision);
  }

  /** A scoring for the fleet as it is loaded now, to be given to `use` or `prepare`. */
  scoringFor(workload: readonly ExpectedShape[] | undefined, load = this.#snapshot.power?.load ?? this.load): Scoring {
    const { power: figures } = this.#snapshot;
    const power = figures === undefined ? undefined : new PowerCost(figures, load);
    const fragmentation = workload && fragmentationOf(this, workload, power);
    return { workload, power, fragmentation, load: power === undefined ? undefined : load };
  }

  use(scoring: Scoring): void {
    this.#scoring = scoring;
    if (this.#nextScoring === scoring) this.#nextScoring = undefined;
  }

  /** Keeps another scoring current beside the one in use. */
  prepare(scoring: Scoring | undefined): void {
    this.#nextScoring = scoring;
  }

  /** Calls a function as if another scoring were in use. */
  scoredBy<T>(scoring: Scoring, fn: () => T): T {
    const used = this.#scoring;
    this.#scoring = scoring;
    try {
      return fn();
    } finally {
      this.#scoring = used;
    }
  }

  #read(row: number): void {
    const { nodes, devices } = this.#snapshot;
    this.cpuMilli[row] = Math.min(nodes.cpuMilliFree[row]!, nodes.cpuMilli[row]!);
    this.memoryBytes[row] = Math.min(nodes.memoryBytesFree[row]!, nodes.memoryBytes[row]!);
    this.diskBytes[row] = Math.min(nodes.diskBytesFree[row]!, nodes.diskBytes[row]!);
    let free = 0;
    let all = 0;
    const end = nodes.deviceStart[row]! + nodes.deviceCount[row]!;
    for (let device = nodes.deviceStart[row]!; device < end; device += 1) {
      const milli = Math.max(0, Math.min(devices.milliFree[device]!, devices.milli[device]!));
      this.milli[device] = milli;
      if (devices.healthy[device] !== 1) continue;
      free += milli;
      all += devices.milli[device]!;
    }
    this.nodeMilliFree[row] = free;
    this.nodeMilli[row] = all;
    this.deviceTypes.read(this.#snapshot, row);
    this.classes.regroup(this.#snapshot, row);
    this.#name(row);
    this.#changed(row);
  }

  /** Share of the devices that is held, 0..1; 1 without devices. */
  get load(): number {
    let free = 0;
    let all = 0;
    for (let row = 0; row < this.nodeMilli.length; row += 1) {
      free += this.nodeMilliFree[row]!;
      all += this.nodeMilli[row]!;
    }
    return all > 0 ? 1 - free / all : 1;
  }

  /** Takes one rank's share of a node. `chosen` and `milli`: device rows and thousandths of each. */
  take(row: number, request: NodeRequest, chosen: readonly number[], milli: readonly number[]): void {
    this.cpuMilli[row]! -= request.cpuMilli;
    this.memoryBytes[row]! -= request.memoryBytes;
    this.diskBytes[row]! -= request.diskBytes;
    for (let i = 0; i < chosen.length; i += 1) {
      this.milli[chosen[i]!]! -= milli[i]!;
      this.nodeMilliFree[row]! -= milli[i]!;
    }
    this.#touched.add(row);
    this.#changed(row);
  }

  /** Gives back what a rank held of a node. `chosen` and `milli`: device rows and thousandths of each. */
  give(
    row: number,
    held: Pick<NodeRequest, 'cpuMilli' | 'memoryBytes' | 'diskBytes'>,
    chosen: readonly number[],
    milli: readonly number[],
  ): void {
    this.cpuMilli[row]! += held.cpuMilli;
    this.memoryBytes[row]! += held.memoryBytes;
    this.diskBytes[row]! += held.diskBytes;
    for (let i = 0; i < chosen.length; i += 1) {
      this.milli[chosen[i]!]! += milli[i]!;
      if (this.#snapshot.devices.healthy[chosen[i]!] === 1) this.nodeMilliFree[row]! += milli[i]!;
    }
    this.#touched.add(row);
    this.#changed(row);
  }

  /** Keeps a node for a waiting job: others get of it only what that job does not need (see `reserve.ts`). */
  keep(row: number, request: NodeRequest): void {
    this.#kept.set(row, request);
    this.#touched.add(row);
    this.#changed(row);
  }

  #changed(row: number): void {
    this.#scoring.fragmentation?.changed(row);
    this.#nextScoring?.fragmentation?.changed(row);
    this.classes.update(this.#snapshot, row, this.#keptNumber(row));
  }

  #keptNumber(row: number): number {
    const request = this.keptFor(row);
    if (request === undefined) return 0;
    const known = this.#keptNumbers.get(request);
    if (known !== undefined) return known;
    this.#keptCount += 1;
    this.#keptNumbers.set(request, this.#keptCount);
    return this.#keptCount;
  }

  keptFor(row: number): NodeRequest | undefined {
    return this.#kept.size === 0 ? undefined : this.#kept.get(row);
  }
}
