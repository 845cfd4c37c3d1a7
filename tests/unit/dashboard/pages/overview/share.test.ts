import { expect, it } from 'vitest';
import { share } from '../../../../../dashboard/src/pages/overview/share.ts';

it('a share never shows some as none, nor not all as all', () => {
  expect(share(0, 100)).toBe(0);
  expect(share(1, 1_000)).toBe(1);
  expect(share(999, 1_000)).toBe(99);
  expect(share(1_000, 1_000)).toBe(100);
  expect(share(60, 100)).toBe(60);
});

it('a share of nothing is unknown', () => {
  expect(share(0, 0)).toBeNull();
});
