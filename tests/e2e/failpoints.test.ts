/** Each failpoint kills its process once, while jobs run. Takes minutes, so only CI does it. */
import { expect, it } from 'vitest';
import { crash } from '../../soak/crash/crash.ts';
import { eachFailpoint } from '../../soak/crash/kills.ts';
import { randomOf } from '../../soak/crash/random.ts';
import { FAILPOINTS } from '../../src/common/failpoints.ts';

const seed = 11;

it.runIf(process.env.CI === 'true')(
  'every failpoint is reached, and a kill there loses and doubles nothing',
  async () => {
    const random = randomOf(seed, 'kills');
    const lines: string[] = [];
    const { counts, broken } = await crash({
      seed,
      minutes: 6,
      kills: FAILPOINTS.length,
      plan: random.shuffle(eachFailpoint(random)),
      mustReach: true,
      progress: (line) => lines.push(line),
    });
    expect(broken, lines.join('\n')).toEqual([]);
    expect(counts.kills).toBe(FAILPOINTS.length);
  },
  600_000,
);
