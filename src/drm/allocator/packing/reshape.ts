/**
 * What a node's report changes: its amounts, and its devices, matched by uuid.
 *
 * A report never takes away what is held. A device that is no longer reported stays as a row with `observed` 0, because
 * allocations of the past name it; if it is held, the node says so as a reason for being degraded. A parent whose slices are
 * reported has `observed` 0.
 */

import { larger, sameAmounts } from './amounts.ts';
import type { DeviceCounters, HealthReason, NodeCounters } from './counters.ts';
import { isHeldButGone, withCapacity } from './device-capacity.ts';
import { sameJson } from './same-json.ts';
import type { DeviceKind, WireNodeShape } from './shape.ts';

/** A device with everything that its row says. */
export interface DeviceRecord extends DeviceCounters {
  readonly kind: DeviceKind;
  readonly vendor: string;
  readonly model: string;
  /** Index on the node, ≥ 0. */
  readonly index: number;
  readonly uuid: string;
  readonly memoryBytes: number;
  readonly driver: string | null;
  readonly facts: Readonly<Record<string, unknown>>;
}

export interface Reshaped {
  readonly node: NodeCounters;
  readonly nodeChanged: boolean;
  /** New devices, parents before their slices. */
  readonly added: readonly DeviceRecord[];
  readonly changed: readonly DeviceRecord[];
}

/**
 * @param known every device that the node ever had
 * @param newDeviceId makes the id of a device that was never seen
 */
export function reshape(
  node: NodeCounters,
  known: readonly DeviceRecord[],
  shape: WireNodeShape,
  newDeviceId: () => string,
): Reshaped {
  const before = new Map(known.map((device) => [device.uuid, device]));
  const reported = new Map<string, WireNodeShape['devices'][number]>();
  const reasons: HealthReason[] = [];
  for (const device of shape.devices) {
    if (!reported.has(device.uuid)) reported.set(device.uuid, device);
    else reasons.push({ code: 'device_reported_twice', message: `${device.uuid} is reported twice; the first counts` });
  }
  const ids = new Map<string, string>();
  for (const uuid of [...before.keys(), ...reported.keys()]) {
    if (!ids.has(uuid)) ids.set(uuid, before.get(uuid)?.id ?? newDeviceId());
  }
  const cut = new Set<string>();
  for (const { uuid, parentUuid } of reported.values())
    if (parentUuid !== null && parentUuid !== uuid) cut.add(parentUuid);

  const merged: DeviceRecord[] = [...ids].map(([uuid, id]) => {
    const old = before.get(uuid);
    const now = reported.get(uuid);
    if (now === undefined) return { ...old!, observedMilli: 0 };
    const parentId = now.parentUuid === null || now.parentUuid === uuid ? null : (ids.get(now.parentUuid) ?? null);
    return {
      id,
      nodeId: node.id,
      parentId,
      kind: now.kind,
      vendor: now.vendor,
      model: now.model,
      index: now.index,
      uuid,
      memoryBytes: Math.floor(now.memoryBytes),
      driver: now.driver,
      facts: now.facts,
      health: now.health,
      observedMilli: cut.has(uuid) ? 0 : 1000,
      milli: old?.milli ?? 0,
      usedMilli: old?.usedMilli ?? 0,
    };
  });

  const devices = withCapacity(merged);
  for (const device of devices) reasons.push(...reasonsOf(device, reported.get(device.uuid)));
  const observed = {
    cpuMilli: Math.floor(shape.cpuMilli),
    memoryBytes: Math.floor(shape.memoryBytes),
    diskBytes: Math.floor(shape.diskBytes),
  };
  const next: NodeCounters = {
    ...node,
    observed,
    capacity: larger(node.used, observed),
    health: reasons.length === 0 ? 'ok' : 'degraded',
    healthReasons: reasons,
  };
  const added = devices.filter(({ uuid }) => !before.has(uuid));
  return {
    node: next,
    nodeChanged:
      !sameAmounts(node.observed, next.observed) ||
      !sameAmounts(node.capacity, next.capacity) ||
      !sameJson(node.healthReasons, reasons),
    added: [...added.filter(({ parentId }) => parentId === null), ...added.filter(({ parentId }) => parentId !== null)],
    changed: devices.filter((device) => before.has(device.uuid) && !sameJson(device, before.get(device.uuid))),
  };
}

function reasonsOf(device: DeviceRecord, reported: WireNodeShape['devices'][number] | undefined): HealthReason[] {
  const name = `${device.kind} ${device.index} (${device.uuid})`;
  const reasons: HealthReason[] = [];
  if (reported?.health === 'degraded') {
    const why = reported.healthReasons.join('; ') || 'the node gives no reason';
    reasons.push({ code: 'device_degraded', message: `${name}: ${why}`, deviceId: device.id });
  }
  if (isHeldButGone(device)) {
    const message = `${name} is held by a job, but the node reports it ${reported ? 'cut into slices' : 'no more'}`;
    reasons.push({ code: 'device_held_but_gone', message, deviceId: device.id });
  }
  return reasons;
}
