import fc from 'fast-check';
import { describe, expect, it } from 'vitest';
import { Fleet } from '../../../../src/cmo/scheduler/core/fleet.ts';
import { StateMemo } from '../../../../src/cmo/scheduler/core/node-states.ts';
import type { DeviceRow, NodeRow } from '../../../../src/cmo/scheduler/core/rows.ts';
import { device, fleetOf, gib, node } from './support/builders.ts';

const base: Partial<NodeRow> = { cpuMilli: 8000, usedCpuMilli: 1000 };
const statesOf = (...nodes: NodeRow[]) => {
  const fleet = new Fleet(fleetOf(nodes));
  return nodes.map((_, row) => fleet.states.of(row));
};
const withDevice = (id: string, more: Partial<DeviceRow> = {}) =>
  node(id, { ...base, devices: [device(`${id}-d`, more)] });

describe('the state of a node', () => {
  it('is the same for nodes of which the same is free, whatever their names', () => {
    const [a, b] = statesOf(withDevice('a'), withDevice('b'));
    expect(a).toBe(b);
    expect(Number.isSafeInteger(a)).toBe(true);
  });

  it.each<[string, NodeRow]>([
    ['cpu', node('b', { ...base, usedCpuMilli: 1001, devices: [device('d')] })],
    ['capacity of cpu', node('b', { cpuMilli: 9000, usedCpuMilli: 2000, devices: [device('d')] })],
    ['memory', node('b', { ...base, usedMemoryBytes: gib, devices: [device('d')] })],
    ['what is free of a device', withDevice('b', { usedMilli: 1 })],
    ['the health of a device', withDevice('b', { healthy: false })],
    ['the model', withDevice('b', { model: 'A100' })],
    ['the driver', withDevice('b', { driver: '535.1' })],
    ['the memory of a device', withDevice('b', { memoryBytes: 40 * gib })],
    ['the kind', withDevice('b', { kind: 'tpu' })],
    ['the number of devices', node('b', { ...base, devices: [device('d'), device('e')] })],
  ])('differs by %s', (_, other) => {
    const [a, b] = statesOf(withDevice('a'), other);
    expect(a).not.toBe(b);
  });

  it('differs for 20,000 different nodes', () => {
    const nodes = Array.from({ length: 20_000 }, (_, i) =>
      node(`n${i}`, {
        cpuMilli: 64_000,
        usedCpuMilli: i % 200,
        devices: [device(`d${i}`, { usedMilli: Math.floor(i / 200) })],
      }),
    );
    expect(new Set(statesOf(...nodes)).size).toBe(20_000);
  });

  it('is worked out again after a change', () => {
    const fleet = new Fleet(fleetOf([withDevice('a'), withDevice('b')]));
    const before = fleet.states.of(0);
    fleet.milli[0] = 500;
    expect(fleet.states.of(0)).toBe(before);
    fleet.states.changed(0);
    expect(fleet.states.of(0)).not.toBe(before);
  });
});

describe('a memo by state', () => {
  it('gives back what was put in last for a state, or nothing', () => {
    fc.assert(
      fc.property(fc.array(fc.tuple(fc.maxSafeNat(), fc.double({ noNaN: true })), { maxLength: 50 }), (entries) => {
        const memo = new StateMemo();
        const last = new Map<number, number>();
        for (const [state, value] of entries) {
          memo.set(state, value);
          last.set(state, value);
          expect(memo.get(state)).toBe(value);
        }
        for (const [state, value] of last) {
          const kept = memo.get(state);
          if (!Number.isNaN(kept)) expect(kept).toBe(value);
        }
      }),
    );
  });

  it('knows nothing at first', () => {
    expect(new StateMemo().get(0)).toBeNaN();
  });
});
