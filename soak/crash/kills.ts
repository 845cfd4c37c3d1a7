/**
 * What is killed, when: a list made from the seed before anything runs, so that a run can be repeated.
 *
 * Half of the kills wait for a process to come to a failpoint; every failpoint is taken before one is taken again. The
 * others come at a random moment, where nobody thought of putting a failpoint.
 */
import { CONTAINER_FAILPOINTS, FAILPOINTS, type FailpointName } from '../../src/common/failpoints.ts';
import type { Random } from './random.ts';

/**
 * A process, or several at once: `everything` is control plane, agents and database, as when a machine dies. `runtime` is
 * whatever runs a container beside its supervisor (runc, podman, conmon), and `supervisor-and-guardian` are both who would end a
 * container of an engine.
 */
export const targets = [
  'control-plane',
  'control-plane-starting',
  'agent',
  'second-agent',
  'supervisor',
  'supervisor-and-guardian',
  'runtime',
  'database',
  'database-backend',
  'control-plane-and-database',
  'everything',
] as const;
export type Target = (typeof targets)[number];

interface Timing {
  /** Pause before, ms. */
  readonly afterMs: number;
  /** How long a control plane stays away before it is started again, ms. */
  readonly awayMs: number;
}

export type Kill = Timing &
  ({ readonly at: 'failpoint'; readonly name: FailpointName } | { readonly at: 'moment'; readonly target: Target });

/** How often each is hit at a random moment, of all such kills. */
const weights: Readonly<Record<Target, number>> = {
  'control-plane': 5,
  'control-plane-starting': 2,
  agent: 4,
  'second-agent': 2,
  supervisor: 4,
  'supervisor-and-guardian': 2,
  runtime: 4,
  database: 4,
  'database-backend': 1,
  'control-plane-and-database': 1,
  everything: 1,
};

/** All of them. */
export const allFailpoints: readonly FailpointName[] = [...FAILPOINTS, ...CONTAINER_FAILPOINTS];

/** An endless list of kills. */
export function* plannedKills(random: Random): Generator<Kill> {
  const lots = targets.flatMap((target) => Array.from({ length: weights[target] }, () => target));
  for (;;) {
    for (const name of random.shuffle(allFailpoints)) {
      yield { at: 'failpoint', name, ...timing(random) };
      yield { at: 'moment', target: random.pick(lots), ...timing(random) };
    }
  }
}

/** Each target once, at a random moment. */
export const eachTarget = (random: Random): Kill[] =>
  targets.map((target) => ({ at: 'moment', target, afterMs: random.whole(100, 1_200), awayMs: 0 }));

/** Each failpoint once. */
export const eachFailpoint = (random: Random): Kill[] =>
  allFailpoints.map((name) => ({ at: 'failpoint', name, ...timing(random), afterMs: 0, awayMs: 0 }));

function timing(random: Random): Timing {
  // Seldom so long away that jobs end by themselves (stopAfter is 5 s).
  const awayMs = random.next() < 0.1 ? random.whole(4_000, 7_000) : random.whole(0, 500);
  return { afterMs: random.whole(100, 3_000), awayMs };
}
