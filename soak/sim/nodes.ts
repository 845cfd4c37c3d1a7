/** The fleet of the fault simulation: two sites, two models, 32 nodes of four devices. */
import type { SiteRow } from '../../src/cmo/scheduler/core/rows.ts';
import { shapeOfNode as wireShape } from '../../src/cmo/scheduler/simulation/fleet.ts';
import type { WireNodeShape } from '../../src/drm/allocator/index.ts';

const gib = 2 ** 30;
const perSite = 16;
export const devicesPerNode = 4;

export const sites: readonly SiteRow[] = ['east', 'west'].map((id) => ({
  id,
  deviceUsdPerHour: 1e6,
  cpuUsdPerHour: 1e4,
  memoryUsdPerHour: 1e3,
  pue: 1.2,
  revision: 1,
}));

export const nodeIds: readonly string[] = sites.flatMap(({ id }) =>
  Array.from({ length: perSite }, (_, i) => `${id}-${String(i + 1).padStart(2, '0')}`),
);

export const siteOf = (nodeId: string): string => nodeId.slice(0, 4);

/** What a node says of itself when it is whole. */
export function shapeOfNode(nodeId: string): WireNodeShape {
  const model = siteOf(nodeId) === 'east' ? 'A' : 'B';
  return wireShape({
    id: nodeId,
    siteId: siteOf(nodeId),
    cpuMilli: 24_000,
    memoryBytes: 128 * gib,
    diskBytes: 1024 * gib,
    devices: [{ kind: 'gpu', model, memoryBytes: 40 * gib, count: devicesPerNode }],
  });
}

/** …when some of its devices are gone, and half of its cores and memory. */
export function smaller(nodeId: string, gone: readonly number[], halved: boolean): WireNodeShape {
  const whole = shapeOfNode(nodeId);
  return {
    ...whole,
    ...(halved && { cpuMilli: whole.cpuMilli / 2, memoryBytes: whole.memoryBytes / 2 }),
    devices: whole.devices.filter(({ index }) => !gone.includes(index)),
  };
}

/** …when one of its devices is cut into slices. */
export function sliced(nodeId: string, index: number): WireNodeShape {
  const whole = shapeOfNode(nodeId);
  const parent = whole.devices[index]!;
  const slices = [0, 1].map((slice) => ({
    ...parent,
    uuid: `${parent.uuid}/slice${slice}`,
    index: 10 + 2 * index + slice,
    parentUuid: parent.uuid,
    memoryBytes: parent.memoryBytes / 2,
  }));
  return { ...whole, devices: [...whole.devices, ...slices] };
}
