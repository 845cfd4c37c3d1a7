import fc from 'fast-check';
import { describe, expect, it } from 'vitest';
import type { DeviceCounters } from '../../../src/drm/allocator/packing/counters.ts';
import { isHeldButGone, withCapacity } from '../../../src/drm/allocator/packing/device-capacity.ts';

const one = (id: string, over: Partial<DeviceCounters> = {}): DeviceCounters => ({
  id,
  nodeId: 'node',
  parentId: null,
  health: 'ok',
  observedMilli: 1000,
  milli: 0,
  usedMilli: 0,
  ...over,
});
const capacities = (...devices: DeviceCounters[]) => withCapacity(devices).map(({ milli }) => milli);

describe('what of a device may be given', () => {
  it('is all of it when the node reports it', () => {
    expect(capacities(one('a'), one('b', { usedMilli: 300 }))).toEqual([1000, 1000]);
  });

  it('is just what is used when the node reports it no more', () => {
    expect(capacities(one('a', { observedMilli: 0 }), one('b', { observedMilli: 0, usedMilli: 300 }))).toEqual([
      0, 300,
    ]);
  });

  it('is nothing of a parent that has slices', () => {
    const slices = ['a1', 'a2'].map((id) => one(id, { parentId: 'a' }));
    expect(capacities(one('a', { observedMilli: 0 }), ...slices)).toEqual([0, 1000, 1000]);
  });

  it('is nothing of slices that were cut under the holder of the parent', () => {
    const slices = ['a1', 'a2'].map((id) => one(id, { parentId: 'a' }));
    expect(capacities(one('a', { observedMilli: 0, usedMilli: 1000 }), ...slices, one('b'))).toEqual([
      1000, 0, 0, 1000,
    ]);
  });

  it('is nothing of a parent whose slices were merged under their holder', () => {
    const held = one('a1', { parentId: 'a', observedMilli: 0, usedMilli: 1000 });
    expect(capacities(one('a'), held, one('a2', { parentId: 'a' }))).toEqual([0, 1000, 0]);
  });

  it('never lies below what is used, and gives nothing new beside what is held but gone', () => {
    const family = fc.array(
      fc.record({ slice: fc.boolean(), observed: fc.constantFrom(0 as const, 1000 as const), used: fc.nat(1000) }),
      { minLength: 1, maxLength: 6 },
    );
    fc.assert(
      fc.property(family, (members) => {
        const devices = members.map(({ slice, observed, used }, index) =>
          one(`d${index}`, { parentId: slice && index > 0 ? 'd0' : null, observedMilli: observed, usedMilli: used }),
        );
        const after = withCapacity(devices);
        for (const device of after) {
          expect(device.milli).toBeGreaterThanOrEqual(device.usedMilli);
          const head = device.parentId ?? device.id;
          const family = after.filter(({ id, parentId }) => (parentId ?? id) === head);
          if (family.some(isHeldButGone)) expect(device.milli).toBe(device.usedMilli);
        }
      }),
    );
  });
});
