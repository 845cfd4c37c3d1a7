import fc from 'fast-check';
import { describe, expect, it } from 'vitest';
import { explanationOf, packExplanation } from '../../../../src/common/contract/explanation.ts';
import type { Candidate, Explanation, ScoreTerm } from '../../../../src/common/contract/plan.ts';
import { newId } from '../../../../src/common/ids.ts';

const terms: readonly ScoreTerm[] = [
  { name: 'price', value: 2.014, unit: 'USD/h' },
  { name: 'fragmentation_added', value: -0.5, unit: 'thousandths of a device' },
];

function explanation(candidates: readonly Candidate[]): Explanation {
  return {
    policy: 'priority-fragmentation/1',
    round: 7,
    decidedAt: '2026-11-22T10:00:00.000Z',
    candidates,
    feasibleCount: 20,
    rejections: { device_count: 3 },
  };
}

const stored = (explanation: Explanation): string => JSON.stringify(packExplanation(explanation));
const back = (text: string): Explanation => explanationOf(JSON.parse(text));

describe('explanations in rows', () => {
  it('come back as they were', () => {
    const site = newId('site');
    const text = fc.string({ maxLength: 6 });
    const number = fc.oneof(fc.double(), fc.integer());
    const term = fc.record({ name: text, value: number, unit: text });
    const candidate = fc.record({
      nodeId: fc.oneof(fc.constant(newId('node')), text),
      siteId: fc.oneof(fc.constant(site), text),
      score: number,
      terms: fc.oneof(fc.constant(terms), fc.array(term, { maxLength: 3 })),
    });
    fc.assert(
      fc.property(fc.array(candidate, { maxLength: 20 }), (candidates) => {
        const whole = explanation(candidates as unknown as Candidate[]);
        expect(back(stored(whole))).toEqual(JSON.parse(JSON.stringify(whole)));
      }),
    );
  });

  it('take a tenth of their JSON for twenty nodes of one class', () => {
    const site = newId('site');
    const whole = explanation(
      Array.from({ length: 20 }, () => ({ nodeId: newId('node'), siteId: site, score: 3000, terms })),
    );
    const text = stored(whole);
    expect(text.length).toBeLessThan(900);
    expect(text.length).toBeLessThan(JSON.stringify(whole).length / 4);
    expect(back(text)).toEqual(whole);
  });

  it('keep equal numbers of different terms apart', () => {
    const site = newId('site');
    const one = (name: string, unit: string) => ({
      nodeId: newId('node'),
      siteId: site,
      score: 1,
      terms: [{ name, value: 1, unit }],
    });
    const whole = explanation([
      one('price', 'USD/h'),
      one('price', 'EUR/h'),
      one('power_added', 'W'),
      one('price', 'USD/h'),
    ]);
    expect(back(stored(whole))).toEqual(whole);
  });

  it('show no candidates to who cannot unpack them, instead of failing there', () => {
    const whole = explanation([{ nodeId: newId('node'), siteId: newId('site'), score: 1, terms }]);
    expect(JSON.parse(stored(whole))).toMatchObject({ candidates: [], feasibleCount: 20 });
  });

  it('that are packed stay as they are', () => {
    const whole = explanation([{ nodeId: newId('node'), siteId: newId('site'), score: 1, terms }]);
    const packed = packExplanation(whole);
    expect(packExplanation(packed)).toBe(packed);
  });

  it('of releases before are read as they are', () => {
    const whole = explanation([{ nodeId: newId('node'), siteId: newId('site'), score: 1, terms }]);
    expect(back(JSON.stringify(whole))).toEqual(whole);
  });
});
