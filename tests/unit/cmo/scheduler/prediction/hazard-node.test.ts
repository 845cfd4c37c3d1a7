import { describe, expect, it } from 'vitest';
import { HazardNode } from '../../../../../src/cmo/scheduler/prediction/hazard-node.ts';
import { NodeTable } from '../../../../../src/cmo/scheduler/prediction/node-table.ts';
import { LevelStrength } from '../../../../../src/cmo/scheduler/prediction/strength.ts';

describe('what a key has seen', () => {
  it('is its parent where it has seen nothing', () => {
    expect(new HazardNode().hazard(10, 0.3, 2)).toBeCloseTo(0.3, 12);
  });

  it('is ended ÷ reached, drawn to the parent by the strength', () => {
    const node = new HazardNode();
    for (let i = 0; i < 8; i++) node.observe(10, i < 2);
    expect(node.hazard(10, 0.5, 2)).toBeCloseTo((2 + 2 * 0.5) / (8 + 2), 6);
    expect(node.hazard(10, 0.5, 128)).toBeCloseTo((2 + 128 * 0.5) / (8 + 128), 6);
  });

  it('forgets by the factor that it fades by', () => {
    const node = new HazardNode();
    node.observe(10, true);
    node.fade(0.5);
    node.observe(10, false);
    // The older end counts half of the newer survival.
    expect(node.hazard(10, 0.5, 1)).toBeCloseTo((0.5 + 0.5) / (1.5 + 1), 6);
  });

  it('fades for ever without losing precision', () => {
    const node = new HazardNode();
    for (let i = 0; i < 20_000; i++) {
      node.observe(10, i % 4 === 0);
      node.fade(0.99);
    }
    expect(node.hazard(10, 0.5, 0.5)).toBeGreaterThan(0.2);
    expect(node.hazard(10, 0.5, 0.5)).toBeLessThan(0.3);
    expect(node.weight).toBeLessThan(1e6);
    expect(node.endedCount).toBe(20_000);
  });

  it('changes its version with every observation', () => {
    const node = new HazardNode();
    node.observe(3, false);
    node.observe(3, true);
    expect(node.version).toBe(2);
  });
});

describe('nodes by key', () => {
  it('are the same while they are kept', () => {
    const table = new NodeTable(2);
    expect(table.use('a')).toBe(table.use('a'));
    expect(table.size).toBe(1);
  });

  it('are forgotten in order of their last use', () => {
    const table = new NodeTable(2);
    const [a, b] = [table.use('a'), table.use('b')];
    table.use('a');
    table.use('c');
    expect(table.use('a')).toBe(a);
    expect(table.use('b')).not.toBe(b);
    expect(table.size).toBe(2);
  });

  it.each([0, -1, 1.5, Number.NaN])('cannot be at most %d', (limit) => {
    expect(() => new NodeTable(limit)).toThrow(RangeError);
  });
});

describe('the strength of a level', () => {
  /** Feeds nodes that saw `reached` observations with hazard `own`, under a parent that says `parent`. */
  const learned = (own: number, parent: number, reached: number) => {
    const strength = new LevelStrength();
    for (let i = 0; i < 400; i++) strength.learn(reached, own * reached, parent, i % 10 < own * 10);
    return strength.value;
  };

  it('is small where keys differ from their parent', () => {
    expect(learned(0.9, 0.1, 4)).toBe(0.5);
  });

  it('is large where the few observations of a key mislead', () => {
    const strength = new LevelStrength();
    // Keys that saw four ends in a row, though one in ten ends is the truth, as the parent says.
    for (let i = 0; i < 400; i++) strength.learn(4, 4, 0.1, i % 10 === 0);
    expect(strength.value).toBe(128);
  });

  it('follows a change', () => {
    const strength = new LevelStrength();
    for (let i = 0; i < 400; i++) strength.learn(4, 4, 0.1, i % 10 === 0);
    for (let i = 0; i < 5000; i++) strength.learn(4, 4, 0.1, i % 50 !== 0);
    expect(strength.value).toBe(0.5);
  });

  it('learns nothing from keys that saw nothing', () => {
    const strength = new LevelStrength();
    const before = strength.value;
    for (let i = 0; i < 100; i++) strength.learn(0, 0, 0.1, true);
    expect(strength.value).toBe(before);
  });
});
