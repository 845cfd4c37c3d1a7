/** `npm run soak -- crash`: SIGKILL of every process at every failpoint and at random, while jobs run. */
import type { Soak } from '../harness.ts';
import { crash } from './crash.ts';
import { plannedKills } from './kills.ts';
import { randomOf } from './random.ts';

const defaultKills = 200;

export const soak = {
  name: 'crash',
  question: 'does anything get lost or doubled when processes are killed at any line?',
  defaultMinutes: 25,
  run: (context) =>
    crash({ ...context, plan: plannedKills(randomOf(context.seed, 'kills')), kills: context.kills ?? defaultKills }),
} satisfies Soak;
