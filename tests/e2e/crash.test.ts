/**
 * The short form of `npm run soak -- crash`, while jobs run: in CI each process once and a few failpoints; elsewhere everything
 * at once, what runs a container, who keeps one, and a failpoint.
 */
import { expect, it } from 'vitest';
import { crash } from '../../soak/crash/crash.ts';
import { eachFailpoint, eachTarget, type Target } from '../../soak/crash/kills.ts';
import { randomOf } from '../../soak/crash/random.ts';

const seed = 7;
const isCi = process.env.CI === 'true';
const fewTargets: ReadonlySet<Target> = new Set<Target>(['everything', 'runtime', 'supervisor-and-guardian']);

it('loses and doubles nothing when processes of the product are killed while jobs run', async () => {
  const random = randomOf(seed, 'kills');
  const failpoints = random.shuffle(eachFailpoint(random));
  const targets = eachTarget(random);
  const few = targets.filter((kill) => kill.at === 'moment' && fewTargets.has(kill.target));
  const plan = random.shuffle(isCi ? [...targets, ...failpoints.slice(0, 3)] : [...few, ...failpoints.slice(0, 1)]);
  const lines: string[] = [];
  const { counts, broken } = await crash({
    seed,
    minutes: isCi ? 4 : 1,
    kills: plan.length,
    plan,
    progress: (line) => lines.push(line),
  });
  expect(broken, lines.join('\n')).toEqual([]);
  expect(counts.kills).toBeGreaterThan(isCi ? 8 : 1);
  expect(counts.jobs).toBeGreaterThan(5);
}, 480_000);
