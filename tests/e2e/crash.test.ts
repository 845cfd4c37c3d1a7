/** The short form of `npm run soak -- crash`: each process once, and a few failpoints, while jobs run. */
import { expect, it } from 'vitest';
import { crash } from '../../soak/crash/crash.ts';
import { eachFailpoint, eachTarget } from '../../soak/crash/kills.ts';
import { randomOf } from '../../soak/crash/random.ts';

const seed = 7;

it('loses and doubles nothing when every process of the product is killed while jobs run', async () => {
  const random = randomOf(seed, 'kills');
  const plan = random.shuffle([...eachTarget(random), ...random.shuffle(eachFailpoint(random)).slice(0, 3)]);
  const lines: string[] = [];
  const { counts, broken } = await crash({
    seed,
    minutes: 2,
    kills: plan.length,
    plan,
    progress: (line) => lines.push(line),
  });
  expect(broken, lines.join('\n')).toEqual([]);
  expect(counts.kills).toBeGreaterThan(8);
  expect(counts.jobs).toBeGreaterThan(10);
}, 240_000);
