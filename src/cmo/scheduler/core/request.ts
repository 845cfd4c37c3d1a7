/**
 * A shape made ready for one snapshot: names become numbers and look-up tables, prices are worked out per site.
 *
 * One `NodeRequest` per alternative of the device list. Alternatives are tried in order over the whole fleet, so the second is
 * taken only when the first fits nowhere now; all ranks of a gang use the same one.
 */
import type { DeviceRequest } from '../../../common/contract/job-spec.ts';
import type { TopologyLevel } from '../../../common/contract/placement.ts';
import type { Want } from '../../../drm/allocator/packing/index.ts';
import { mismatch } from './devices.ts';
import { levelsOf } from './domains.ts';
import { IdleMemo } from './idle-memo.ts';
import { type LabelRule, labelRuleOf } from './label-rule.ts';
import { versionAtLeast } from './shape.ts';
import { deviceKindCode, isolationBit, isolationMask, type Shape, type Snapshot } from './snapshot.ts';

export interface CompiledDevice {
  readonly kind: number;
  /** By index of `Snapshot.models`: 1 where the model will do; null: any, also unknown ones. */
  readonly models: Uint8Array | null;
  /** By index of `Snapshot.drivers`; null: any. */
  readonly drivers: Uint8Array | null;
  readonly minMemoryBytes: number;
  readonly count: number;
  readonly milli: number;
}

/** What each rank wants of its node. */
export interface NodeRequest {
  readonly shape: Shape;
  readonly alternative: number;
  readonly cpuMilli: number;
  readonly memoryBytes: number;
  readonly diskBytes: number;
  readonly devices: readonly CompiledDevice[];
  /** Thousandths of devices of one rank. */
  readonly deviceMilli: number;
  /** The devices for the allocator's packing; undefined without any, or when a list of several must be matched. */
  readonly want: Want | undefined;
  /** What is known of groups of nodes, whatever is free of them. */
  readonly idle: IdleMemo;
  /** Ranks, each on a node of its own. */
  readonly ranks: number;
  /** Levels of parts in which all ranks may stand together, best first; the last is the one that is required. */
  readonly levels: readonly TopologyLevel[];
  readonly within: TopologyLevel;
  /** What is asked of the labels of nodes; undefined: nothing. */
  readonly labels: LabelRule | undefined;
  readonly isolationBit: number;
  readonly isolationMask: number;
  readonly hostNetwork: boolean;
  /** By site row: micro-dollars an hour of the whole job; NaN where the site has no valid price. */
  readonly sitePrice: Float64Array;
  /** By site row: 1 where the price is valid and within the limit. */
  readonly siteAllowed: Uint8Array;
  /** By site row: how much dearer than the cheapest site, as a share of the dearest, 0..1. */
  readonly sitePremium: Float64Array;
}

const gibibyte = 2 ** 30;

/** Readies every alternative of a shape that has no fault. */
export function compileShape(shape: Shape, snapshot: Snapshot): NodeRequest[] {
  const levels = levelsOf(shape.placement);
  return shape.resources.deviceAlternatives.map((list, alternative) => {
    const devices = compileDevices(list, snapshot);
    const { resources } = shape;
    const { cpuMilli, memoryBytes } = resources;
    return {
      shape,
      alternative,
      cpuMilli,
      memoryBytes,
      diskBytes: resources.diskBytes,
      devices,
      deviceMilli: devices.reduce((sum, device) => sum + device.count * device.milli, 0),
      want: wantOf({ cpuMilli, memoryBytes, devices }, snapshot),
      idle: new IdleMemo(),
      ranks: resources.nodes,
      levels,
      within: levels.at(-1)!,
      labels: labelRuleOf(shape.placement),
      isolationBit: isolationBit[shape.isolation],
      isolationMask: isolationMask(shape.isolation),
      hostNetwork: shape.network === 'host',
      ...priceSites(shape, devices, snapshot),
    };
  });
}

/** Readies the requests of one list. */
export function compileDevices(list: readonly DeviceRequest[], snapshot: Snapshot): CompiledDevice[] {
  return list.map((request) => compileDevice(request, snapshot));
}

/** Equal shares of devices, which is what most jobs want; undefined for none and for several requests. */
function wantOf(
  { cpuMilli, memoryBytes, devices }: Pick<NodeRequest, 'cpuMilli' | 'memoryBytes' | 'devices'>,
  snapshot: Snapshot,
): Want | undefined {
  const [device, ...others] = devices;
  if (device === undefined || others.length > 0) return undefined;
  const accepts = (row: number) => mismatch(snapshot.devices, row, device) === 0;
  return { cpuMilli, memoryBytes, count: device.count, milli: device.milli, accepts };
}

function compileDevice(request: DeviceRequest, snapshot: Snapshot): CompiledDevice {
  const wanted = new Set(request.models.map((model) => model.toLowerCase()));
  const { minDriver } = request;
  return {
    kind: deviceKindCode[request.kind],
    models: wanted.size === 0 ? null : Uint8Array.from(snapshot.models, (name) => +wanted.has(name.toLowerCase())),
    drivers: minDriver === null ? null : Uint8Array.from(snapshot.drivers, (name) => +versionAtLeast(name, minDriver)),
    minMemoryBytes: request.minMemoryBytes,
    count: request.count,
    milli: request.milli,
  };
}

function priceSites(shape: Shape, devices: readonly CompiledDevice[], { sites }: Snapshot) {
  const count = sites.ids.length;
  const deviceShare = devices.reduce((sum, device) => sum + (device.count * device.milli) / 1000, 0);
  const cores = shape.resources.cpuMilli / 1000;
  const memory = shape.resources.memoryBytes / gibibyte;
  const sitePrice = new Float64Array(count);
  const siteAllowed = new Uint8Array(count);
  const sitePremium = new Float64Array(count);
  let cheapest = Number.POSITIVE_INFINITY;
  let dearest = 0;
  for (let site = 0; site < count; site += 1) {
    const device = sites.deviceUsdPerHour[site]!;
    const cpu = sites.cpuUsdPerHour[site]!;
    const gib = sites.memoryUsdPerHour[site]!;
    const valid = device >= 0 && cpu >= 0 && gib >= 0;
    const rank = device * deviceShare + cpu * cores + gib * memory;
    sitePrice[site] = valid && Number.isFinite(rank) ? Math.round(rank * shape.resources.nodes) : Number.NaN;
    if (!(sitePrice[site]! <= shape.maxUsdPerHour)) continue;
    siteAllowed[site] = 1;
    cheapest = Math.min(cheapest, sitePrice[site]!);
    dearest = Math.max(dearest, sitePrice[site]!);
  }
  for (let site = 0; site < count; site += 1) {
    if (dearest > 0) sitePremium[site] = (sitePrice[site]! - cheapest) / dearest;
  }
  return { sitePrice, siteAllowed, sitePremium };
}
