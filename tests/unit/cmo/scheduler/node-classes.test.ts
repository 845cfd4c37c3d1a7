import { describe, expect, it } from 'vitest';
import { Fleet } from '../../../../src/cmo/scheduler/core/fleet.ts';
import { compileShape } from '../../../../src/cmo/scheduler/core/request.ts';
import type { DeviceRow, NodeRow } from '../../../../src/cmo/scheduler/core/rows.ts';
import { device, fleetOf, gib, job, node } from './support/builders.ts';

const base: Partial<NodeRow> = { cpuMilli: 8000, usedCpuMilli: 1000 };
const classesOf = (...nodes: NodeRow[]) => {
  const fleet = new Fleet(fleetOf(nodes));
  return nodes.map((_, row) => fleet.classes.of[row]!);
};
const withDevice = (id: string, more: Partial<DeviceRow> = {}) =>
  node(id, { ...base, devices: [device(`${id}-d`, more)] });

describe('the class of a node', () => {
  it('is the same for nodes of which the same is free, whatever their names', () => {
    const [a, b] = classesOf(withDevice('a'), withDevice('b'));
    expect(a).toBe(b);
  });

  it.each<[string, NodeRow]>([
    ['cpu', node('b', { ...base, usedCpuMilli: 1001, devices: [device('d')] })],
    ['capacity of cpu', node('b', { cpuMilli: 9000, usedCpuMilli: 2000, devices: [device('d')] })],
    ['disk', node('b', { ...base, usedDiskBytes: gib, devices: [device('d')] })],
    ['capacity of memory', node('b', { ...base, memoryBytes: 65 * gib, usedMemoryBytes: gib, devices: [device('d')] })],
    ['state', node('b', { ...base, scheduling: 'cordoned', devices: [device('d')] })],
    ['isolation', node('b', { ...base, isolation: ['process'], devices: [device('d')] })],
    ['memory', node('b', { ...base, usedMemoryBytes: gib, devices: [device('d')] })],
    ['what is free of a device', withDevice('b', { usedMilli: 1 })],
    ['the health of a device', withDevice('b', { healthy: false })],
    ['the model', withDevice('b', { model: 'A100' })],
    ['the driver', withDevice('b', { driver: '535.1' })],
    ['the memory of a device', withDevice('b', { memoryBytes: 40 * gib })],
    ['the kind', withDevice('b', { kind: 'tpu' })],
    ['the number of devices', node('b', { ...base, devices: [device('d'), device('e')] })],
  ])('differs by %s', (_, other) => {
    const [a, b] = classesOf(withDevice('a'), other);
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
    expect(new Set(classesOf(...nodes)).size).toBe(20_000);
  });

  it('follows what is taken, and is the old one again when it is given back', () => {
    const snapshot = fleetOf([withDevice('a'), withDevice('b')]);
    const fleet = new Fleet(snapshot);
    const [request] = compileShape(job('j').shape, snapshot);
    const before = fleet.classes.of[0]!;
    fleet.take(0, request!, [0], [500]);
    expect(fleet.classes.of[0]).not.toBe(before);
    expect(fleet.classes.of[1]).toBe(before);
    fleet.refresh(snapshot, []);
    expect(fleet.classes.of[0]).toBe(before);
  });

  it('is that of nodes which are kept for the same job, while it is kept', () => {
    const snapshot = fleetOf([withDevice('a'), withDevice('b'), withDevice('c'), withDevice('d')]);
    const fleet = new Fleet(snapshot);
    const [first, second] = [job('j'), job('k')].map(({ shape }) => compileShape(shape, snapshot)[0]!);
    fleet.keep(0, first!);
    fleet.keep(1, first!);
    fleet.keep(2, second!);
    const [a, b, c, d] = fleet.classes.of;
    expect(b).toBe(a);
    expect(new Set([a, c, d]).size).toBe(3);
    fleet.refresh(snapshot, []);
    expect(new Set(fleet.classes.of.subarray(0, 4)).size).toBe(1);
    fleet.keep(3, first!);
    expect(fleet.classes.of[3]).toBe(a);
  });
});

describe('numbers of classes', () => {
  it('are given again when nothing has been in them for long', () => {
    const snapshot = fleetOf([withDevice('a')]);
    const fleet = new Fleet(snapshot);
    const [request] = compileShape(job('j').shape, snapshot);
    for (let i = 1; i <= 20_000; i += 1) {
      fleet.refresh(snapshot, []);
      fleet.take(0, { ...request!, cpuMilli: i / 8 }, [], []);
    }
    expect(fleet.classes.end).toBeLessThan(5000);
  });
});
