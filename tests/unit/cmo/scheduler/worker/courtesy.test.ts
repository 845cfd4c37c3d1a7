import { describe, expect, it } from 'vitest';
import { Courtesy } from '../../../../../src/cmo/scheduler/worker/courtesy.ts';
import { Traffic } from '../../../../../src/common/traffic.ts';
import { until } from '../../../../support/until.ts';

/** A courtesy at a clock of its own, asked after so many requests and milliseconds. */
function stand(from = 0) {
  const traffic = new Traffic();
  new Uint32Array(traffic.shared)[0] = from;
  let now = 0;
  const courtesy = new Courtesy(new Traffic(traffic.shared), () => now);
  return (requests: number, passedMs: number, tookMs = 80) => {
    for (let count = 0; count < requests; count += 1) traffic.count();
    now += passedMs;
    return courtesy.restMs(tookMs);
  };
}

describe('the scheduler', () => {
  it('rests as long as a piece took while requests come, and not at all while none do', () => {
    const ask = stand();
    expect(ask(0, 1000)).toBe(0);
    expect(ask(500, 1000)).toBe(80);
    expect(ask(0, 50)).toBe(80);
    expect(ask(0, 1000)).toBe(0);
  });

  it('keeps room for a second after requests', () => {
    const ask = stand();
    expect(ask(500, 1000)).toBe(80);
    expect(ask(0, 900)).toBe(80);
    expect(ask(0, 200)).toBe(0);
  });

  it('rests for nobody who only looks now and then', () => {
    const ask = stand();
    expect(ask(9, 500)).toBe(0);
    expect(ask(10, 500)).toBe(80);
  });

  it('never rests for longer than half a second', () => {
    expect(stand()(1000, 1000, 9_000)).toBe(500);
  });

  it('counts on where the counter begins anew', () => {
    expect(stand(2 ** 32 - 5)(50, 1000)).toBe(80);
  });

  it('commits in small pieces while requests come, in large ones otherwise', () => {
    const traffic = new Traffic();
    let now = 0;
    const courtesy = new Courtesy(traffic, () => now);
    expect(courtesy.placements()).toBe(200);
    for (let count = 0; count < 500; count += 1) traffic.count();
    now = 1000;
    expect(courtesy.placements()).toBe(50);
    now = 2000;
    expect(courtesy.placements()).toBe(200);
  });

  it('commits one piece at a time while requests come, and side by side otherwise', async () => {
    const traffic = new Traffic();
    let now = 0;
    const courtesy = new Courtesy(traffic, () => now);
    const ends: (() => void)[] = [];
    let begun = 0;
    const piece = () => {
      begun += 1;
      return new Promise<void>((resolve) => ends.push(resolve));
    };
    const finish = async (pieces: readonly Promise<void>[]) => {
      for (const end of ends.splice(0)) end();
      await Promise.all(pieces);
    };
    const idle = [courtesy.run(piece), courtesy.run(piece)];
    expect(begun).toBe(2);
    await finish(idle);
    for (let count = 0; count < 500; count += 1) traffic.count();
    now = 1000;
    const [first, second] = [courtesy.run(piece), courtesy.run(piece)];
    await Promise.resolve();
    expect(begun).toBe(3);
    await finish([first]);
    await until('the second piece begins', async () => begun === 4);
    await finish([second]);
  });
});
