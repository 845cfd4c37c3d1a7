import { describe, expect, it } from 'vitest';
import { DiskWatch } from '../../../../src/metapod/agent/disk-watch.ts';

const mebibyte = 2 ** 20;

/** A watch over a disk that has these bytes free, look by look. */
async function looks(...free: (number | null)[]): Promise<boolean[]> {
  let at = 0;
  const watch = new DiskWatch({ freeBytes: async () => free[at++] ?? null }, '/data');
  const moved: boolean[] = [];
  for (let look = 0; look < free.length; look += 1) moved.push(await watch.hasMoved());
  return moved;
}

describe('the watch over free disk', () => {
  it('tells that it filled up, and that it was freed', async () => {
    expect(await looks(260 * mebibyte, 0, 0, 200 * mebibyte)).toEqual([false, true, false, true]);
  });

  it('takes small steps together, and what running jobs move for nothing', async () => {
    expect(await looks(100e9, 97e9, 94e9, 93.9e9)).toEqual([false, false, true, false]);
    expect(await looks(0, mebibyte / 2)).toEqual([false, false]);
  });

  it('says nothing where free space cannot be read', async () => {
    expect(await looks(null, 5e9, null, 5e9)).toEqual([false, false, false, false]);
  });
});
