/** Jobs that are kept as one record against the same jobs kept one by one: revisions of their own keep jobs apart and decide nothing. */
import fc from 'fast-check';
import { describe, expect, it } from 'vitest';
import { PendingQueue } from '../../../../src/cmo/scheduler/core/pending-queue.ts';
import { planOf, planRound, schedule } from '../../../../src/cmo/scheduler/core/schedule.ts';
import type { PendingJob, Plan, Policy } from '../../../../src/cmo/scheduler/core/snapshot.ts';
import { sorted } from '../../../../src/cmo/scheduler/record/round-file.ts';
import type { QueuedJob } from '../../../../src/cmo/scheduler/worker/messages.ts';
import { RoundEngine } from '../../../../src/cmo/scheduler/worker/round-engine.ts';
import type { PendingReason } from '../../../../src/common/contract/states/job.ts';
import { devices, fleetOf, job, node, now, policy, type SpecInput, site } from './support/builders.ts';

const specs: readonly SpecInput[] = [
  {},
  { resources: { cpu: 3 } },
  { resources: { devices: [{}] } },
  { resources: { devices: [{ count: 3 }] } },
  { resources: { devices: [{ count: 64 }] } },
  { resources: { nodes: 2, devices: [{}] } },
  { resources: { devices: [{}] }, placement: { spread: { over: 'node', maxSkew: 1 } }, array: { count: 3 } },
  {
    resources: { cpu: 2 },
    labels: { app: 'db' },
    placement: { antiAffinity: [{ jobs: { app: 'db' }, within: 'node' }] },
  },
];
const shapes = specs.map((spec) => job('any', spec));

/** What equal jobs have in common; few values, so that many are nearly equal. */
const factsArb = fc.record({
  spec: fc.nat(specs.length - 1),
  tenant: fc.constantFrom('t1', 't1', 't2'),
  user: fc.constantFrom(undefined, 'u1', 'u2'),
  priority: fc.constantFrom(0, 0, 0, 1),
  waited: fc.constantFrom(0, 1000, 400_000),
  notBefore: fc.constantFrom(0, 0, 0, 0, now - 1, now + 20_000, now + 90_000),
  deadline: fc.constantFrom(undefined, undefined, undefined, now + 60_000, now + 90_000_000),
  likelySeconds: fc.constantFrom(undefined, undefined, 600, 610),
  label: fc.constantFrom(undefined, undefined, 'db', 'web'),
  promised: fc.constantFrom(false, false, false, true),
});
type Facts = typeof factsArb extends fc.Arbitrary<infer T> ? T : never;
/** Facts, and others that differ from them in one thing each. */
const kindsArb = fc.tuple(factsArb, fc.array(fc.tuple(factsArb, fc.nat()), { maxLength: 4 })).map(([base, others]) => [
  base,
  ...others.map(([other, which]): Facts => {
    const names = Object.keys(base) as (keyof Facts)[];
    const name = names[which % names.length]!;
    return { ...base, [name]: other[name] };
  }),
]);

function jobOf(id: string, { spec, waited, likelySeconds, label, deadline, user, ...facts }: Facts): PendingJob {
  const { notBefore } = facts;
  const labels = label === undefined ? shapes[spec]!.labels : { app: label };
  return {
    ...shapes[spec]!,
    ...facts,
    id,
    submittedAt: now - waited,
    notBeforeReason: notBefore === 0 ? null : 'retry_backoff',
    ...(user && { user }),
    ...(deadline && { deadline }),
    ...(labels && { labels }),
    ...(specs[spec]!.array && { array: `arr_${spec}` }),
    ...(likelySeconds && { runTime: { likelySeconds, carefulSeconds: 1000 } }),
  };
}

let revisions = 1n;
const alone = (one: PendingJob): PendingJob => {
  revisions += 1n;
  return { ...one, revision: revisions };
};

const withoutRevisions = (plan: Pick<Plan, 'placements'>) =>
  plan.placements.map(({ jobRevision: _, ...placement }) => placement);

const policyArb = fc.record({
  maxPlacements: fc.constantFrom(1, 3, 7, 1000),
  order: fc.constantFrom<NonNullable<Policy['order']>>('arrival', 'least-work'),
  maxReservations: fc.constantFrom(0, 1, 16),
});

const nodes = (used: number) =>
  ['n1', 'n2', 'n3'].map((id, i) =>
    node(id, { devices: devices(id, 4).map((one, at) => ({ ...one, usedMilli: at + i < used ? 1000 : 0 })) }),
  );

describe('a queue of records', () => {
  it('is planned as the same jobs one by one, in whatever order they come, leave and come again', () => {
    // Of a few kinds, with ids in any order: records are cut where others go between.
    const jobsArb = fc
      .tuple(kindsArb, fc.uniqueArray(fc.nat(999), { minLength: 2, maxLength: 60 }))
      .chain(([kinds, ids]) =>
        fc.tuple(...ids.map((id) => fc.nat(kinds.length - 1).map((kind) => jobOf(`job_${id}`, kinds[kind]!)))),
      );
    const againArb = fc.array(fc.record({ which: fc.nat(), stays: fc.boolean() }), { maxLength: 20 });
    fc.assert(
      fc.property(jobsArb, againArb, policyArb, fc.nat(6), (jobs, again, rules, used) => {
        const workload = [{ kind: shapes[2]!.shape, weight: 1 }];
        const snapshot = { ...fleetOf(nodes(used)), workload };
        const queue = new PendingQueue(jobs);
        const left = new Map(jobs.map((one) => [one.id, one]));
        const compare = () => {
          const plan = sorted(planOf(planRound(snapshot, queue, policy(rules), now, 1), 1));
          const single = sorted(schedule(snapshot, [...left.values()].map(alone), policy(rules), now, 1));
          expect(withoutRevisions(plan)).toEqual(withoutRevisions(single));
          expect({ ...plan, placements: [] }).toEqual({ ...single, placements: [] });
        };
        compare();
        for (const { which, stays } of again) {
          const one = jobs[which % jobs.length]!;
          if (stays) queue.set(one);
          else queue.delete(one.id);
          if (stays) left.set(one.id, one);
          else left.delete(one.id);
        }
        compare();
      }),
      { numRuns: 600 },
    );
  });
});

const stepArb = fc.oneof(
  {
    weight: 4,
    arbitrary: fc.record({
      type: fc.constant('array' as const),
      kinds: kindsArb,
      tasks: fc.constantFrom(1, 2, 5, 20, 130),
      reason: fc.constantFrom<PendingReason>('new', 'new', 'insufficient_capacity'),
    }),
  },
  {
    weight: 3,
    arbitrary: fc.record({ type: fc.constant('gone' as const), which: fc.array(fc.nat(), { maxLength: 9 }) }),
  },
  {
    weight: 3,
    arbitrary: fc.record({
      type: fc.constant('changed' as const),
      which: fc.array(fc.nat(), { maxLength: 9 }),
      facts: fc.option(factsArb, { nil: undefined, freq: 2 }),
    }),
  },
  { weight: 2, arbitrary: fc.record({ type: fc.constant('settled' as const) }) },
  { weight: 3, arbitrary: fc.record({ type: fc.constant('fleet' as const), used: fc.constantFrom(0, 3, 6, 9) }) },
  {
    weight: 6,
    arbitrary: fc.record({
      type: fc.constant('round' as const),
      rules: policyArb,
      after: fc.constantFrom(1, 1000, 31_000),
      refuse: fc.nat(3),
    }),
  },
);
type Step = typeof stepArb extends fc.Arbitrary<infer T> ? T : never;

/** Two engines that are told the same: one of arrays, the other of each job as one like no other. */
class Pair {
  readonly #shared = new RoundEngine();
  readonly #single = new RoundEngine();
  readonly #queued = new Map<string, PendingJob>();
  #jobs = 0;
  #now = now;
  #revision = 1;
  #open: string[] = [];
  #refuse = 0;

  constructor() {
    this.#both((engine) => engine.apply({ sites: [['s1', site()]], nodes: nodes(0).map((row) => [row.id, row]) }));
  }

  step(step: Step): void {
    switch (step.type) {
      case 'array': {
        for (const facts of step.kinds) {
          const ids = Array.from({ length: step.tasks }, (_, i) => `job_${String(this.#jobs + i).padStart(5, '0')}`);
          this.#jobs += step.tasks;
          this.#arrive(
            ids.map((id) => jobOf(id, facts)),
            step.reason,
          );
        }
        break;
      }
      case 'gone':
        for (const id of this.#some(step.which)) {
          this.#queued.delete(id);
          this.#both((engine) => engine.apply({ now: this.#now, jobs: [[id, null]] }));
        }
        break;
      case 'changed':
        this.#change([...this.#some(step.which)], step.facts);
        break;
      case 'settled':
        this.#settle();
        break;
      case 'fleet':
        this.#revision += 1;
        this.#both((engine) =>
          engine.apply({ nodes: nodes(step.used).map((row) => [row.id, { ...row, revision: this.#revision }]) }),
        );
        break;
      case 'round':
        this.#now += step.after;
        this.#round(policy(step.rules), step.refuse);
    }
  }

  #change(ids: readonly string[], facts: Facts | undefined): void {
    if (facts !== undefined && ids.length > 0) {
      this.#arrive(
        ids.map((id) => jobOf(id, facts)),
        'new',
      );
    } else for (const id of ids) this.#arrive([this.#queued.get(id)!], 'new');
  }

  #both(tell: (engine: RoundEngine) => void): void {
    tell(this.#shared);
    tell(this.#single);
  }

  #some(which: readonly number[]): Set<string> {
    const ids = [...this.#queued.keys()];
    return new Set(ids.length === 0 ? [] : which.map((number) => ids[number % ids.length]!));
  }

  #arrive(jobs: readonly PendingJob[], reason: PendingReason): void {
    for (const one of jobs) this.#queued.set(one.id, one);
    const [first, ...others] = jobs;
    const { user = '', shape } = first!;
    const traits = { user, name: shape.key, size: 1, runSeconds: null };
    const row: QueuedJob = { job: first!, reason, traits, alike: others.map(({ id }) => id) };
    this.#shared.apply({ now: this.#now, jobs: [[first!.id, row]] });
    this.#single.apply({
      now: this.#now,
      jobs: jobs.map((one) => [one.id, { job: alone(one), reason, traits }] as const),
    });
  }

  #round(rules: Policy, refuse: number): void {
    const [shared, single] = [this.#shared, this.#single].map((engine) => {
      const { placementCount, verdictCount, ...summary } = engine.run(rules, this.#now);
      const verdicts = engine.verdicts(0, verdictCount);
      return {
        summary: {
          ...summary,
          pending: Object.entries(summary.pending)
            .filter(([, count]) => count > 0)
            .sort(),
        },
        placements: withoutRevisions({ placements: engine.placements(0, placementCount) }),
        verdicts: [...verdicts].sort((a, b) => (a.jobId < b.jobId ? -1 : 1)),
        held: [...engine.compare('job', [], 100_000).held].sort(),
      };
    });
    expect(shared).toEqual(single);
    this.#open = [...this.#open, ...shared!.placements.map(({ jobId }) => jobId as string)];
    this.#refuse = refuse;
  }

  /** What was planned is committed, but for the first of it; until then rows of it may come. */
  #settle(): void {
    const ids = this.#open;
    const refused = ids.splice(0, this.#refuse).map((jobId) => ({ jobId, code: 'capacity_taken' as const }));
    for (const id of ids) this.#queued.delete(id);
    this.#both((engine) => engine.settle({ committed: ids, refused, unknown: [] }));
    this.#open = [];
  }
}

describe('an engine that is told of arrays', () => {
  it('plans and says what one does that is told of each job, whatever becomes of single tasks', () => {
    fc.assert(
      fc.property(fc.array(stepArb, { minLength: 4, maxLength: 40 }), (steps) => {
        const pair = new Pair();
        for (const step of steps) pair.step(step);
      }),
      { numRuns: 300 },
    );
  });
});
