import { expect, it } from 'vitest';
import { inSlices } from '../../../../../src/cmo/api/live/slices.ts';

const work = (ms: number) => {
  const until = performance.now() + ms;
  while (performance.now() < until);
};

it('work for many lets others work in between, and leaves nobody out', async () => {
  const done: number[] = [];
  const seen: number[] = [];
  let isOver = false;
  const others = () => {
    seen.push(done.length);
    if (!isOver) setImmediate(others);
  };
  setImmediate(others);
  await inSlices([1, 2, 3, 4, 5, 6], (item) => {
    work(5);
    done.push(item);
  });
  isOver = true;
  expect(done).toEqual([1, 2, 3, 4, 5, 6]);
  expect(seen.length).toBeGreaterThanOrEqual(5);
});

it('work that takes no time is done in one piece', async () => {
  const done: number[] = [];
  const working = inSlices([1, 2, 3], (item) => void done.push(item));
  expect(done).toEqual([1, 2, 3]);
  await working;
});
