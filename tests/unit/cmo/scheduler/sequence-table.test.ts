import fc from 'fast-check';
import { describe, expect, it } from 'vitest';
import { SequenceTable } from '../../../../src/cmo/scheduler/core/sequence-table.ts';

function intern(table: SequenceTable, sequence: readonly number[]): number {
  table.reserve(sequence.length);
  table.scratch.set(sequence);
  return table.intern(sequence.length);
}

const sequenceArb = fc.oneof(
  fc.array(fc.constantFrom(0, 1, 2, 0.5, Number.NaN, 2 ** 40), { maxLength: 5 }),
  fc.array(fc.double(), { minLength: 20, maxLength: 80 }),
);
const stepArb = fc.record({ sequence: sequenceArb, remove: fc.boolean() });

describe('a table of sequences', () => {
  it('gives equal sequences one number and others another, whatever was removed meanwhile', () => {
    fc.assert(
      fc.property(fc.array(stepArb, { maxLength: 300 }), (steps) => {
        const table = new SequenceTable();
        const known = new Map<string, number>();
        for (const { sequence, remove } of steps) {
          const text = sequence.map((value) => (Object.is(value, -0) ? '-0' : String(value))).join();
          const number = intern(table, sequence);
          expect(table.created).toBe(!known.has(text));
          if (known.has(text)) expect(number).toBe(known.get(text));
          else expect([...known.values()]).not.toContain(number);
          known.set(text, number);
          if (!remove) continue;
          table.remove(number);
          known.delete(text);
        }
        expect(table.size).toBe(known.size);
      }),
      { numRuns: 200 },
    );
  });

  it('grows with what is in it and not with what ever was', () => {
    const table = new SequenceTable();
    for (let i = 0; i < 50_000; i += 1) table.remove(intern(table, [i, i / 3]));
    expect(table.end).toBe(1);
    for (let i = 0; i < 5000; i += 1) intern(table, [i, 7]);
    for (let i = 0; i < 5000; i += 1) {
      intern(table, [i, 7]);
      expect(table.created).toBe(false);
    }
  });
});
