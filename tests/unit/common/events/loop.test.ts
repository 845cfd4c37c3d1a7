import { setImmediate as turn } from 'node:timers/promises';
import { afterEach, describe, expect, test } from 'vitest';
import { LocalWake, type Loop, type LoopOptions, runLoop } from '../../../../src/common/events/index.ts';
import { silentLogger } from '../../../../src/common/logger.ts';
import { until } from '../../../support/until.ts';

let loops: Loop[] = [];
afterEach(async () => {
  await Promise.all(loops.map((loop) => loop.stop()));
  loops = [];
});

function start(run: LoopOptions['run'], options: Partial<LoopOptions> = {}): Loop {
  const loop = runLoop({ name: 'test', wakeOn: [], wake: new LocalWake(), logger: silentLogger, run, ...options });
  loops.push(loop);
  return loop;
}

/** A round that ends when it is told to. */
function gate(): { run: () => Promise<void>; rounds: () => number; finish: () => void } {
  let rounds = 0;
  let finish = () => {};
  return {
    run: () => {
      rounds++;
      return new Promise((resolve) => {
        finish = resolve;
      });
    },
    rounds: () => rounds,
    finish: () => finish(),
  };
}

describe('a loop', () => {
  test('begins with a round', async () => {
    let rounds = 0;
    start(async () => {
      rounds++;
    });
    await until('the first round', () => rounds === 1);
  });

  test('makes of many wake-ups during a round one more round, and rounds never overlap', async () => {
    const wake = new LocalWake();
    const gated = gate();
    start(gated.run, { wake, wakeOn: ['jobs', 'nodes'] });
    await until('the first round', () => gated.rounds() === 1);
    for (let i = 0; i < 10; i++) wake.wake(i % 2 ? 'jobs' : 'nodes');
    await turn();
    expect(gated.rounds()).toBe(1);
    gated.finish();
    await until('the second round', () => gated.rounds() === 2);
    gated.finish();
    for (let i = 0; i < 5; i++) await turn();
    expect(gated.rounds()).toBe(2);
    gated.finish();
  });

  test('comes back at the re-sync without any wake-up', async () => {
    let rounds = 0;
    start(
      async () => {
        rounds++;
      },
      { resyncSeconds: 0.01 },
    );
    await until('several re-syncs', () => rounds >= 3);
  });

  test('repeats a round that failed, without a wake-up', async () => {
    let rounds = 0;
    start(async () => {
      if (++rounds < 3) throw new Error('the database is away');
    });
    await until('the third try', () => rounds === 3);
  });

  test('does not spin when it is woken while it fails', async () => {
    let rounds = 0;
    const loop = start(async () => {
      rounds++;
      throw new Error('broken');
    });
    for (let i = 0; i < 200; i++) {
      loop.wake();
      await turn();
    }
    expect(rounds).toBeLessThan(20);
  });

  test('stop waits for the running round, tells it, and lets no other begin', async () => {
    const gated = gate();
    let signal: AbortSignal | undefined;
    const loop = start((given) => {
      signal = given;
      return gated.run();
    });
    await until('the first round', () => gated.rounds() === 1);
    loop.wake();
    let stopped = false;
    const stopping = loop.stop().then(() => {
      stopped = true;
    });
    await turn();
    expect([stopped, signal!.aborted]).toEqual([false, true]);
    gated.finish();
    await stopping;
    expect(gated.rounds()).toBe(1);
  });

  test('stops by the signal it was given, also one that was aborted before', async () => {
    let rounds = 0;
    const run = async () => {
      rounds++;
    };
    const aborting = new AbortController();
    const loop = start(run, { signal: aborting.signal });
    await until('the first round', () => rounds === 1);
    aborting.abort();
    await loop.stop();
    await start(run, { signal: AbortSignal.abort() }).stop();
    expect(rounds).toBeLessThanOrEqual(2);
  });

  test('leaves its topics when it ends', async () => {
    const wake = new LocalWake();
    let rounds = 0;
    const loop = start(
      async () => {
        rounds++;
      },
      { wake, wakeOn: ['jobs'] },
    );
    await until('the first round', () => rounds === 1);
    await loop.stop();
    wake.wake('jobs');
    await turn();
    expect(rounds).toBe(1);
  });

  test.each([0, -1, 31, Number.NaN])('refuses a re-sync of %s seconds', (resyncSeconds) => {
    expect(() => start(async () => {}, { resyncSeconds })).toThrow(RangeError);
  });
});
