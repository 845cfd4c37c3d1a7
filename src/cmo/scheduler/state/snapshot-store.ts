/**
 * Keeps the dense snapshot current from deltas: stable rows, interned strings, growth by doubling.
 *
 * Reading the fleet anew each round would cost a second at 100,000 nodes; a delta costs by what changed. A node keeps its row while it
 * exists and a removed row is reused. Devices of a node stand together: when their number changes they move to a free run of that
 * length or to the end, and the columns are compacted when more than half of them is holes.
 */
import type { PowerFigures } from '../../../drm/allocator/packing/index.ts';
import type { DeviceRow, FleetDelta, NodeRow, SiteRow } from '../core/rows.ts';
import { deviceKindCode, isolationBit, nodeFlag, type Snapshot } from '../core/snapshot.ts';
import { deviceColumns, growColumns, nodeColumns, siteColumns } from './columns.ts';
import { DeviceWatts } from './device-watts.ts';
import { Interner } from './interner.ts';
import { LabelSets } from './label-sets.ts';

/** What a placement takes of a node, or gives back: the sign is the caller's. */
export interface NodeUse {
  readonly nodeId: string;
  readonly cpuMilli: number;
  readonly memoryBytes: number;
  readonly diskBytes: number;
  readonly devices: readonly { readonly deviceId: string; readonly milli: number }[];
}

export class SnapshotStore {
  #revision = 0;
  readonly #models = new Interner();
  readonly #drivers = new Interner();
  readonly #labels = new LabelSets();
  readonly #sites = siteColumns();
  readonly #siteIds: string[] = [];
  readonly #siteLabels: Readonly<Record<string, string>>[] = [];
  readonly #siteRow = new Map<string, number>();
  readonly #nodes = nodeColumns();
  readonly #nodeIds: string[] = [];
  readonly #nodeNames: (string | undefined)[] = [];
  readonly #nodeRow = new Map<string, number>();
  readonly #freeNodeRows: number[] = [];
  #devices = deviceColumns();
  #deviceIds: string[] = [];
  /** Starts of free runs, by their length. */
  #holes = new Map<number, number[]>();
  #holeRows = 0;
  readonly #power = new DeviceWatts();
  #changed = new Set<number>();
  /** Revision by id, for the comparison with the rows. */
  readonly siteRevisions = new Map<string, number>();
  readonly nodeRevisions = new Map<string, number>();

  /** The columns as they are now; they change with the next `apply`. */
  get snapshot(): Snapshot {
    return {
      revision: this.#revision,
      sites: { ids: this.#siteIds, labels: this.#siteLabels, ...this.#sites },
      nodes: { ids: this.#nodeIds, names: this.#nodeNames, length: this.#nodeIds.length, ...this.#nodes },
      devices: { ids: this.#deviceIds, length: this.#deviceIds.length, ...this.#devices },
      models: this.#models.names,
      drivers: this.#drivers.names,
      labelSets: this.#labels.sets,
      curves: [],
    };
  }

  /** What devices of the models draw, as far as their nodes say; undefined when none says anything. */
  get power(): PowerFigures | undefined {
    return this.#power.figures(this.#models.names.length);
  }

  /** Rows of all nodes whose columns were written since this was asked last. */
  takeChanged(): ReadonlySet<number> {
    const changed = this.#changed;
    this.#changed = new Set();
    return changed;
  }

  apply(delta: FleetDelta): void {
    this.#revision += 1;
    for (const [id, row] of delta.sites) this.#setSite(id, row);
    for (const [id, row] of delta.nodes) {
      if (row === null || row.presence === 'removed') this.#removeNode(id);
      else this.#setNode(row);
    }
    if (this.#holeRows > 1024 && this.#holeRows * 2 > this.#deviceIds.length) this.#compact();
  }

  /** Takes (`sign` 1) or gives back (−1) what a placement uses. Nodes and devices that are gone are passed over. */
  use(use: NodeUse, sign: 1 | -1): void {
    const row = this.#nodeRow.get(use.nodeId);
    if (row === undefined) return;
    this.#revision += 1;
    this.#changed.add(row);
    this.#nodes.cpuMilliFree[row]! -= sign * use.cpuMilli;
    this.#nodes.memoryBytesFree[row]! -= sign * use.memoryBytes;
    this.#nodes.diskBytesFree[row]! -= sign * use.diskBytes;
    const start = this.#nodes.deviceStart[row]!;
    const end = start + this.#nodes.deviceCount[row]!;
    for (const { deviceId, milli } of use.devices) {
      for (let device = start; device < end; device += 1) {
        if (this.#deviceIds[device] === deviceId) this.#devices.milliFree[device]! -= sign * milli;
      }
    }
  }

  #setSite(id: string, row: SiteRow | null): void {
    const at = this.#siteRowOf(id);
    // A site that is gone takes no work: a price that is no number is refused by the core.
    this.#sites.deviceUsdPerHour[at] = row?.deviceUsdPerHour ?? Number.NaN;
    this.#sites.cpuUsdPerHour[at] = row?.cpuUsdPerHour ?? Number.NaN;
    this.#sites.memoryUsdPerHour[at] = row?.memoryUsdPerHour ?? Number.NaN;
    this.#sites.pue[at] = row?.pue ?? Number.NaN;
    this.#siteLabels[at] = row?.labels ?? {};
    if (row === null) this.siteRevisions.delete(id);
    else this.siteRevisions.set(id, row.revision);
  }

  /** Row of a site, made without prices for one that no row was seen of yet. */
  #siteRowOf(id: string): number {
    const known = this.#siteRow.get(id);
    if (known !== undefined) return known;
    const at = this.#siteIds.length;
    growColumns(this.#sites, at + 1);
    this.#siteIds.push(id);
    this.#siteLabels.push({});
    this.#siteRow.set(id, at);
    for (const column of Object.values(this.#sites)) column[at] = Number.NaN;
    return at;
  }

  #setNode(node: NodeRow): void {
    const row = this.#nodeRow.get(node.id) ?? this.#newNodeRow(node.id);
    const nodes = this.#nodes;
    this.#changed.add(row);
    this.#nodeNames[row] = node.name;
    nodes.site[row] = this.#siteRowOf(node.siteId);
    nodes.flags[row] = flagsOf(node);
    nodes.isolation[row] = node.isolation.reduce((bits, level) => bits | (isolationBit[level] ?? 0), 0);
    const labels = this.#labels.of(node);
    nodes.labelSet[row] = labels.set;
    nodes.pod[row] = labels.pod;
    nodes.rack[row] = labels.rack;
    nodes.island[row] = labels.island;
    nodes.cpuMilli[row] = node.cpuMilli;
    nodes.memoryBytes[row] = node.memoryBytes;
    nodes.diskBytes[row] = node.diskBytes;
    nodes.cpuMilliFree[row] = Math.max(0, node.cpuMilli - node.usedCpuMilli);
    nodes.memoryBytesFree[row] = Math.max(0, node.memoryBytes - node.usedMemoryBytes);
    nodes.diskBytesFree[row] = Math.max(0, node.diskBytes - node.usedDiskBytes);
    if (nodes.deviceCount[row] !== node.devices.length) {
      this.#freeDevices(row);
      nodes.deviceStart[row] = this.#newDeviceRun(node.devices.length);
      nodes.deviceCount[row] = node.devices.length;
    }
    const start = nodes.deviceStart[row]!;
    for (const [i, device] of node.devices.entries()) this.#setDevice(start + i, device);
    this.nodeRevisions.set(node.id, node.revision);
  }

  #newNodeRow(id: string): number {
    const row = this.#freeNodeRows.pop() ?? this.#nodeIds.length;
    growColumns(this.#nodes, row + 1);
    this.#nodeIds[row] = id;
    this.#nodeRow.set(id, row);
    this.#nodes.deviceCount[row] = 0;
    return row;
  }

  #removeNode(id: string): void {
    this.nodeRevisions.delete(id);
    const at = this.#nodeRow.get(id);
    if (at === undefined) return;
    this.#changed.add(at);
    this.#freeDevices(at);
    this.#nodes.deviceCount[at] = 0;
    this.#nodes.flags[at] = 0;
    this.#nodeIds[at] = '';
    this.#nodeRow.delete(id);
    this.#freeNodeRows.push(at);
  }

  #setDevice(at: number, device: DeviceRow): void {
    this.#deviceIds[at] = device.id;
    this.#devices.kind[at] = deviceKindCode[device.kind] ?? 0;
    const model = this.#models.numberOf(device.model);
    this.#devices.model[at] = model;
    this.#power.note(model, device.watts);
    this.#devices.driver[at] = this.#drivers.numberOf(device.driver);
    this.#devices.memoryBytes[at] = device.memoryBytes;
    this.#devices.milli[at] = device.milli;
    this.#devices.milliFree[at] = Math.max(0, device.milli - device.usedMilli);
    this.#devices.healthy[at] = device.healthy ? 1 : 0;
  }

  #freeDevices(row: number): void {
    const start = this.#nodes.deviceStart[row]!;
    const count = this.#nodes.deviceCount[row]!;
    if (count === 0) return;
    for (let at = start; at < start + count; at += 1) {
      this.#deviceIds[at] = '';
      this.#devices.kind[at] = 0;
    }
    this.#holes.set(count, [...(this.#holes.get(count) ?? []), start]);
    this.#holeRows += count;
  }

  /** A free run of rows: a hole of that length, or the end. */
  #newDeviceRun(count: number): number {
    if (count === 0) return 0;
    const hole = this.#holes.get(count)?.pop();
    if (hole !== undefined) {
      this.#holeRows -= count;
      return hole;
    }
    const start = this.#deviceIds.length;
    growColumns(this.#devices, start + count);
    for (let i = 0; i < count; i += 1) this.#deviceIds.push('');
    return start;
  }

  #compact(): void {
    const old = this.#devices;
    const oldIds = this.#deviceIds;
    this.#devices = deviceColumns();
    this.#deviceIds = [];
    this.#holes = new Map();
    this.#holeRows = 0;
    growColumns(this.#devices, oldIds.length);
    for (const row of this.#nodeRow.values()) {
      const from = this.#nodes.deviceStart[row]!;
      const to = this.#deviceIds.length;
      const count = this.#nodes.deviceCount[row]!;
      this.#nodes.deviceStart[row] = to;
      for (let i = 0; i < count; i += 1) this.#deviceIds.push(oldIds[from + i]!);
      for (const name of Object.keys(old) as (keyof typeof old)[]) {
        this.#devices[name].set(old[name].subarray(from, from + count), to);
      }
    }
  }
}

function flagsOf(node: NodeRow): number {
  return (
    nodeFlag.live |
    (node.presence === 'ready' ? nodeFlag.ready : 0) |
    (node.scheduling === 'open' ? nodeFlag.open : 0) |
    (node.health === 'ok' ? nodeFlag.healthy : 0) |
    (node.hostNetwork ? nodeFlag.hostNetwork : 0)
  );
}
