/** Fleets and workloads for the tests of packing. */
import fc from 'fast-check';
import type {
  PackingColumns,
  Want,
} from '../../../../../../../src/drm/allocator/packing/fragmentation/fragmentation.ts';
import type { JobClass } from '../../../../../../../src/drm/allocator/packing/fragmentation/job-class.ts';

export const typeCount = 3;

export function jobClass(more: Partial<JobClass> = {}): JobClass {
  return {
    weight: 1,
    cpuMilli: 1000,
    memoryBytes: 0,
    deviceCount: 1,
    deviceMilli: 1000,
    accepts: null,
    ...more,
  };
}

export interface NodeInput {
  readonly cpuMilli: number;
  readonly memoryBytes?: number;
  /** Thousandths free. */
  readonly devices: readonly number[];
  readonly type?: number;
  readonly types?: readonly number[];
  readonly healthy?: readonly boolean[];
}

export function columnsOf(nodes: readonly NodeInput[]): PackingColumns {
  const devices = nodes.flatMap((node) =>
    node.devices.map((milli, i) => ({
      milli,
      type: node.types?.[i] ?? node.type ?? 0,
      healthy: node.healthy?.[i] ?? true,
    })),
  );
  let start = 0;
  const starts = nodes.map((node) => {
    start += node.devices.length;
    return start - node.devices.length;
  });
  return {
    cpuMilliFree: Float64Array.from(nodes, (node) => node.cpuMilli),
    memoryBytesFree: Float64Array.from(nodes, (node) => node.memoryBytes ?? 1e9),
    deviceStart: Int32Array.from(starts),
    deviceCount: Int32Array.from(nodes, (node) => node.devices.length),
    deviceType: Int32Array.from(devices, ({ type }) => type),
    deviceMilliFree: Int32Array.from(devices, ({ milli }) => milli),
    deviceHealthy: Uint8Array.from(devices, ({ healthy }) => Number(healthy)),
  };
}

export const want = (more: Partial<Want> = {}): Want => ({
  cpuMilli: 1000,
  memoryBytes: 0,
  count: 1,
  milli: 1000,
  accepts: () => true,
  ...more,
});

const acceptsArb = fc.oneof(
  fc.constant(null),
  fc.array(fc.constantFrom(0, 1), { minLength: typeCount, maxLength: typeCount }).map((bits) => Uint8Array.from(bits)),
);

const requestArb = fc.oneof(
  fc.record({ deviceCount: fc.constant(0), deviceMilli: fc.constant(0) }),
  fc.record({ deviceCount: fc.constantFrom(1, 1, 2, 4, 8), deviceMilli: fc.constant(1000) }),
  fc.record({ deviceCount: fc.constantFrom(1, 1, 1, 2), deviceMilli: fc.integer({ min: 1, max: 999 }) }),
);

export const classesArb: fc.Arbitrary<JobClass[]> = fc.array(
  fc
    .record({
      weight: fc.integer({ min: 1, max: 100 }),
      cpuMilli: fc.integer({ min: 0, max: 16_000 }),
      memoryBytes: fc.integer({ min: 0, max: 1000 }),
      accepts: acceptsArb,
      request: requestArb,
    })
    .map(({ request, ...job }) => ({ ...job, ...request })),
  { maxLength: 8 },
);

/** Nodes with devices of one type. */
export const nodesArb: fc.Arbitrary<NodeInput[]> = fc.array(
  fc.record({
    cpuMilli: fc.integer({ min: 0, max: 64_000 }),
    memoryBytes: fc.integer({ min: 0, max: 4000 }),
    type: fc.integer({ min: 0, max: typeCount - 1 }),
    devices: fc.array(fc.oneof(fc.constantFrom(0, 1000, 1000, 1000), fc.integer({ min: 0, max: 1000 })), {
      maxLength: 8,
    }),
    healthy: fc.array(fc.constantFrom(true, true, true, false), { minLength: 8, maxLength: 8 }),
  }),
  { minLength: 1, maxLength: 5 },
);

export const wantArb: fc.Arbitrary<Want> = fc
  .record({
    cpuMilli: fc.integer({ min: 0, max: 8000 }),
    memoryBytes: fc.integer({ min: 0, max: 500 }),
    request: fc.oneof(
      fc.record({ count: fc.integer({ min: 1, max: 4 }), milli: fc.constant(1000) }),
      fc.record({ count: fc.constantFrom(1, 1, 2), milli: fc.integer({ min: 1, max: 999 }) }),
    ),
  })
  .map(({ request, ...rest }) => want({ ...rest, ...request }));
