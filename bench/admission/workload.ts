/**
 * The workload of Kueue's own benchmark, `baseline` of test/performance/scheduler/configs (kubernetes-sigs/kueue): 5 cohorts of 6 queues,
 * each with three kinds of work created at a steady pace.
 *
 * What Kueue calls a cohort is a tenant here, a queue is a project, a unit a core: each project is guaranteed 20 and may borrow 100
 * more, and a tenant has what its projects are guaranteed together.
 */
export interface WorkClass {
  readonly name: 'small' | 'medium' | 'large';
  readonly units: number;
  readonly runMs: number;
  readonly priority: number;
  /** Of each queue. */
  readonly count: number;
  /** Between two of a queue. */
  readonly everyMs: number;
}

export const cohorts = 5;
export const queuesPerCohort = 6;
export const guaranteedUnits = 20;
export const borrowedUnits = 100;

export const classes: readonly WorkClass[] = [
  { name: 'small', units: 1, runMs: 200, priority: 50, count: 350, everyMs: 100 },
  { name: 'medium', units: 5, runMs: 500, priority: 100, count: 100, everyMs: 500 },
  { name: 'large', units: 20, runMs: 1000, priority: 200, count: 50, everyMs: 1200 },
];

/** Kueue's own figures for it: wall time, and mean time to admission by class, seconds. */
export const quoted = { wall: 351.1, small: 215.5, medium: 76.8, large: 16.5 };

/** What is created when, ms from the beginning, in order: one of a class for each queue at once. */
export function creations(share: number): { readonly atMs: number; readonly work: WorkClass }[] {
  return classes
    .flatMap((work) =>
      Array.from({ length: Math.max(1, Math.round(work.count * share)) }, (_, i) => ({ atMs: i * work.everyMs, work })),
    )
    .sort((a, b) => a.atMs - b.atMs);
}
