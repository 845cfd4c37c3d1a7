/** Runs a fault simulation from the first submission until everything is over, and judges it. */
import { isFinalJob } from '../../src/common/contract/states/job.ts';
import { randomOf } from '../crash/random.ts';
import type { SoakOutcome } from '../harness.ts';
import { fairnessUnderLoad, leastFairness } from './fair-share.ts';
import { Faults } from './faults.ts';
import { makeJob, meanPauseMs } from './load.ts';
import { nodeIds, shapeOfNode } from './nodes.ts';
import { type Protection, protections } from './protections.ts';
import { Simulation } from './simulation.ts';

export interface SimOptions {
  readonly seed: number;
  readonly jobs: number;
  readonly faults: number;
  /** How many schedulers, ≥ 1. */
  readonly schedulers?: number;
  /** What to leave out; for the tests that show that it is missed. */
  readonly without?: readonly Protection[];
  progress(line: string): void;
}

/** No job may wait longer once it might start. */
const longestWaitMs = 3_600_000;
/** After the last submission and with everything mended, all is over within this. */
const patienceMs = 6 * 3_600_000;
const mendAfterMs = 700_000;

export interface SimOutcome extends SoakOutcome {
  readonly coverage: readonly string[];
  readonly missing: readonly string[];
}

export async function simulateFaults({
  seed,
  jobs,
  faults,
  schedulers = 2,
  without = [],
  progress,
}: SimOptions): Promise<SimOutcome> {
  for (const name of without)
    if (!Object.hasOwn(protections, name)) throw new RangeError(`there is no protection ${name}`);
  const simulation = new Simulation(seed, schedulers, new Set(without));
  const injected = new Faults(randomOf(seed, 'faults'));
  const people = randomOf(seed, 'people');
  await simulation.prepare();
  const { time, control, counts } = simulation;
  const submitNext = async () => {
    const job = makeJob(seed, counts.submitted, time.now);
    counts.submitted += 1;
    control.submit(job);
    interfere(simulation, job.id, people.next, people.whole(0, 300_000));
    for (let due = faultsDue(counts.submitted, jobs, faults); counts.faults < due; ) await injected.inject(simulation);
    if (counts.submitted % 10_000 === 0)
      progress(`${counts.submitted} jobs, ${counts.faults} faults, ${simulation.openAttempts.size} attempts open`);
    if (counts.submitted < jobs) time.in(-Math.log(1 - people.next()) * meanPauseMs, submitNext);
    else time.in(mendAfterMs, () => mend(simulation));
  };
  time.in(0, submitNext);
  let deadline = Number.POSITIVE_INFINITY;
  const isOver = () => counts.submitted === jobs && simulation.openAttempts.size === 0 && allFinal(simulation);
  try {
    while (!simulation.broken.any && (await time.step())) {
      if (counts.submitted === jobs && deadline === Number.POSITIVE_INFINITY) deadline = time.now + patienceMs;
      if (time.now > deadline || (deadline < Number.POSITIVE_INFINITY && isOver())) break;
    }
  } catch (error) {
    simulation.broken.add('no step fails', (error as Error).stack ?? String(error));
  }
  if (!simulation.broken.any) judge(simulation);
  // Other protections are not missed here.
  const isAsked = without.length === 0 || without.includes('fairShare');
  const fairness = isAsked ? await fairnessUnderLoad(seed, without.length === 0) : 1;
  if (!(fairness >= leastFairness))
    simulation.broken.add('fair share converges', `Jain’s index of what tenants hold is ${fairness}`);
  return {
    counts: {
      ...counts,
      jobs: control.jobs.size,
      longestWaitSeconds: Math.round(simulation.longestWaitMs / 1000),
      virtualHours: Math.round((time.now - Date.UTC(2030, 0, 1)) / 3.6e6),
      operations: simulation.history.size,
      transitions: simulation.coverage.made,
      fairness: Math.round(fairness * 1e4) / 1e4,
      ...Object.fromEntries(injected.counts),
    },
    broken: simulation.broken.list(),
    coverage: simulation.coverage.lines(),
    missing: simulation.coverage.missing(),
  };
}

const faultsDue = (submitted: number, jobs: number, faults: number): number => Math.floor((faults * submitted) / jobs);

/** People and operators change their minds about one job in eight. */
function interfere({ time, control }: Simulation, jobId: string, next: () => number, afterMs: number): void {
  const at = next();
  if (at < 0.03) time.in(afterMs, () => control.request(jobId, 'cancel'));
  else if (at < 0.06) {
    time.in(afterMs, () => control.request(jobId, 'suspend'));
    time.in(afterMs + 60_000 + next() * 300_000, () => control.request(jobId, next() < 0.2 ? 'cancel' : 'resume'));
  } else if (at < 0.08) time.in(afterMs, () => control.request(jobId, 'preempt'));
  else if (at < 0.1) time.in(afterMs, () => control.request(jobId, 'move'));
  else if (at < 0.12) time.in(afterMs, () => control.request(jobId, 'shed'));
}

async function mend(simulation: Simulation): Promise<void> {
  for (const node of nodeIds) {
    await simulation.restore(node);
    await simulation.report(node, shapeOfNode(node));
    if (simulation.node(node)!.scheduling !== 'open') await simulation.setScheduling(node, 'open');
  }
  for (const [id, { state }] of simulation.control.jobs)
    if (state === 'suspended') simulation.control.request(id, 'resume');
}

function allFinal({ control }: Simulation): boolean {
  for (const { state } of control.jobs.values()) if (!isFinalJob(state)) return false;
  return true;
}

function judge(simulation: Simulation): void {
  const { broken, control, invariants, history } = simulation;
  const stuck = [...control.jobs.values()].filter(({ state }) => !isFinalJob(state));
  if (stuck.length > 0)
    broken.add(
      'every job ends',
      stuck
        .slice(0, 5)
        .map(({ id, state }) => `${id} is ${state}`)
        .join(', '),
    );
  if (simulation.longestWaitMs > longestWaitMs) broken.add('waits are bounded', `${simulation.longestWaitMs / 1000} s`);
  invariants.over();
  for (const contradiction of history.contradictions())
    broken.add('ownership of devices is linearizable', contradiction);
  for (const arrow of simulation.coverage.surprising()) broken.add('an arrow that nothing draws was drawn', arrow);
}
