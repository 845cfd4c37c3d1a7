/**
 * Each failpoint kills its process once, while jobs run, in containers too. Takes minutes, so only CI does it. Those that need a
 * container runtime are left out where this machine has none, and that is said.
 */
import { expect, it } from 'vitest';
import { crash } from '../../soak/crash/crash.ts';
import { findDrivers } from '../../soak/crash/images.ts';
import { allFailpoints, eachFailpoint } from '../../soak/crash/kills.ts';
import { isWithinReach } from '../../soak/crash/places.ts';
import { randomOf } from '../../soak/crash/random.ts';

const seed = 11;

it.runIf(process.env.CI === 'true')(
  'every failpoint is reached, and a kill there loses and doubles nothing',
  async () => {
    const { drivers, lacks } = await findDrivers();
    for (const lack of lacks) console.warn(`SKIPPED: ${lack}`);
    const names = allFailpoints.filter((name) => isWithinReach(name, drivers));
    const random = randomOf(seed, 'kills');
    const lines: string[] = [];
    const { counts, broken } = await crash({
      seed,
      minutes: 15,
      kills: names.length,
      plan: random.shuffle(eachFailpoint(random)),
      mustReach: true,
      progress: (line) => lines.push(line),
    });
    expect(broken, lines.join('\n')).toEqual([]);
    expect(counts.kills).toBe(names.length);
  },
  1_500_000,
);
