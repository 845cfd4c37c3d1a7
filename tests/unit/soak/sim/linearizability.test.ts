import { describe, expect, it } from 'vitest';
import { contradictionIn, type Operation } from '../../../../soak/sim/linearizability.ts';

type Times = readonly [calledAt: number, answeredAt: number];
const operation =
  (kind: Operation['kind']) =>
  (owner: string, [calledAt, answeredAt]: Times, milli = 1000): Operation => ({
    kind,
    owner,
    milli,
    calledAt,
    answeredAt,
    outcome: answeredAt === Number.POSITIVE_INFINITY ? 'unknown' : 'ok',
  });
const acquire = operation('acquire');
const release = operation('release');
const refused = (owner: string, times: Times): Operation => ({ ...acquire(owner, times), outcome: 'refused' });
const never = Number.POSITIVE_INFINITY;

describe('a history that some order explains', () => {
  it.each<[string, Operation[]]>([
    ['nothing at all', []],
    [
      'one owner after another',
      [acquire('a', [0, 1]), release('a', [2, 3]), acquire('b', [4, 5]), release('b', [6, 7])],
    ],
    [
      'an acquisition called before the release it needs',
      [acquire('a', [0, 1]), acquire('b', [2, 9]), release('a', [3, 4])],
    ],
    ['a release answered after the next owner was', [acquire('a', [0, 1]), release('a', [2, 9]), acquire('b', [3, 4])]],
    [
      'everything at once, in the order a, b, c',
      [
        acquire('c', [0, 10]),
        release('b', [0, 10]),
        acquire('b', [0, 10]),
        release('a', [0, 10]),
        acquire('a', [0, 10]),
      ],
    ],
    ['a refusal, which needs no reason', [refused('a', [0, 1]), acquire('b', [2, 3])]],
    ['a call without answer that did nothing', [acquire('a', [0, never]), acquire('b', [1, 2])]],
    [
      'a call without answer that took effect late',
      [acquire('a', [0, never]), acquire('b', [1, 2]), release('b', [3, 4]), release('a', [8, 9])],
    ],
    [
      'two without answer, of which one happened',
      [acquire('a', [0, never]), acquire('b', [0, never]), release('b', [5, 6]), acquire('c', [7, 8])],
    ],
    [
      'shares that together are the whole',
      [acquire('a', [0, 1], 250), acquire('b', [0, 1], 750), release('a', [2, 3], 250), acquire('c', [4, 5], 250)],
    ],
    [
      'the answer of one at the very call of the next',
      [acquire('a', [0, 1]), release('a', [1, 2]), acquire('b', [2, 3])],
    ],
  ])('is %s', (_, history) => {
    expect(contradictionIn(history)).toBeUndefined();
  });
});

describe('a history that no order explains', () => {
  it.each<[string, Operation[], string]>([
    ['two owners of one device', [acquire('a', [0, 1]), acquire('b', [2, 3])], 'b'],
    ['two owners, one called while the other was', [acquire('a', [0, 2]), acquire('b', [1, 3])], 'b'],
    ['an owner before the release was called', [acquire('a', [0, 1]), acquire('b', [2, 3]), release('a', [4, 5])], 'b'],
    ['a release of what nobody had', [release('a', [0, 1])], 'a'],
    ['a release before the acquisition', [release('a', [0, 1]), acquire('a', [2, 3])], 'a'],
    ['one release twice', [acquire('a', [0, 1]), release('a', [2, 3]), release('a', [4, 5])], 'a'],
    ['shares beyond the whole', [acquire('a', [0, 1], 600), acquire('b', [2, 3], 500)], 'b'],
    ['a share given back larger than it was', [acquire('a', [0, 1], 250), release('a', [2, 3], 500)], 'a'],
    ['an effect before its call', [release('a', [1, 2]), acquire('a', [3, never])], 'a'],
    [
      'two at once that overlap with nothing that could make room',
      [acquire('a', [0, 1]), acquire('b', [2, 9]), acquire('c', [2, 9]), release('a', [3, 4])],
      'c',
    ],
  ])('is %s', (_, history, culprit) => {
    expect(contradictionIn(history)?.owner).toBe(culprit);
  });
});

it('judges thousands of operations with several open at a time', () => {
  const history: Operation[] = [];
  for (let i = 0; i < 3_000; i += 1) {
    const at = i * 10;
    history.push(acquire(`o${i}`, [at - 8, at + 3]), release(`o${i}`, [at + 4, at + 12]));
    history.push(refused(`r${i}`, [at, at + 5]));
  }
  expect(contradictionIn(history)).toBeUndefined();
  expect(contradictionIn([...history, acquire('twice', [14, 15])])).toBeDefined();
});
