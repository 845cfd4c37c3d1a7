/** Required anti-affinity from the other side: what a job that stands somewhere keeps from there. */
import fc from 'fast-check';
import { describe, expect, it } from 'vitest';
import { Fleet } from '../../../../src/cmo/scheduler/core/fleet.ts';
import { keptApart, keptApartOf } from '../../../../src/cmo/scheduler/core/neighbours/rules.ts';
import type { RunningJob } from '../../../../src/cmo/scheduler/core/running.ts';
import { RunningBook } from '../../../../src/cmo/scheduler/core/running-book.ts';
import { schedule } from '../../../../src/cmo/scheduler/core/schedule.ts';
import { AccountTree } from '../../../../src/cmo/scheduler/core/shares/account.ts';
import type { PendingJob, Snapshot } from '../../../../src/cmo/scheduler/core/snapshot.ts';
import { jobSpecSchema } from '../../../../src/common/contract/job-spec.ts';
import { type DomainLevel, domainLevels } from '../../../../src/common/contract/placement.ts';
import { fleetOf, job, node, now, policy, type SpecInput, site } from './support/builders.ts';
import { Cluster } from './support/cluster.ts';

const racks = [
  node('n1', { labels: { rack: 'r1' } }),
  node('n2', { labels: { rack: 'r1' } }),
  node('n3', { labels: { rack: 'r2' } }),
  node('n4', {}),
];
const apart = (within: DomainLevel, required = true): SpecInput => ({
  placement: { antiAffinity: [{ jobs: { app: 'noisy' }, within, required }] },
});
const noisy = (id: string, more: Partial<PendingJob> = {}, spec: SpecInput = {}) =>
  job(id, { labels: { app: 'noisy' }, ...spec }, more);

/** A job that runs, and has asked for that. */
function keeper(nodeId: string, spec: SpecInput, more: Partial<RunningJob> = {}): RunningJob {
  const rules = keptApart(job('job_k', spec).shape);
  return {
    id: 'job_k',
    tenant: 't1',
    project: 'p1',
    user: '',
    priority: 0,
    ranks: [{ nodeId, cpuMilli: 2000, memoryBytes: 0, diskBytes: 0, devices: [] }],
    startedAt: now - 60_000,
    checkpointAt: null,
    endsAt: now + 600_000,
    preemptible: true,
    stopping: null,
    ...(rules !== undefined && { apart: rules }),
    ...more,
  };
}
const withRunning = (snapshot: Snapshot, ...running: RunningJob[]): Snapshot => ({ ...snapshot, running });
const planOf = (snapshot: Snapshot, ...jobs: PendingJob[]) => schedule(snapshot, jobs, policy(), now);
const nodesOf = (plan: ReturnType<typeof planOf>) =>
  Object.fromEntries(plan.placements.map(({ jobId, ranks }) => [jobId, ranks.map(({ nodeId }) => nodeId).join(' ')]));

describe('a running job that stands apart from others', () => {
  it('keeps those that come later from its part, and no others', () => {
    const snapshot = withRunning(fleetOf(racks.slice(0, 3)), keeper('n1', apart('rack')));
    expect(nodesOf(planOf(snapshot, noisy('job_1')))).toEqual({ job_1: 'n3' });
    const only = withRunning(fleetOf(racks.slice(0, 1)), keeper('n1', apart('node')));
    expect(nodesOf(planOf(only, noisy('job_1'), job('job_2'), job('job_3', { labels: { app: 'quiet' } })))).toEqual({
      job_2: 'n1',
      job_3: 'n1',
    });
    expect(nodesOf(planOf(only, noisy('job_1', { tenant: 't2' })))).toEqual({ job_1: 'n1' });
  });

  it('says so, and when that ends', () => {
    const only = withRunning(fleetOf(racks.slice(0, 1)), keeper('n1', apart('node')));
    const [verdict] = planOf(only, noisy('job_1')).pending;
    expect(verdict).toMatchObject({ reason: 'placement_rule', detail: { rejections: { anti_affinity: 1 } } });
    expect(verdict!.detail.message).toMatch(
      /^Jobs that stand apart from those with app=noisy stand in each of the 1 node that could hold it\. .*Expected in about 10 min, when job_k ends\.$/,
    );
  });

  it('that only prefers it keeps nobody away', () => {
    const only = withRunning(fleetOf(racks.slice(0, 1)), keeper('n1', apart('node', false)));
    expect(nodesOf(planOf(only, noisy('job_1')))).toEqual({ job_1: 'n1' });
  });

  it('keeps nothing from nodes of which nobody says in which part they stand', () => {
    const snapshot = withRunning(fleetOf([racks[0]!, racks[1]!, racks[3]!]), keeper('n1', apart('rack')));
    expect(nodesOf(planOf(snapshot, noisy('job_1')))).toEqual({ job_1: 'n4' });
  });

  it('that has ended keeps nobody away any more, and neither does one that is queued', () => {
    const cluster = new Cluster(racks.slice(0, 1), []);
    cluster.submit({ job: noisy('job_1'), seconds: 60 });
    cluster.submit({ job: job('job_k', apart('node'), { priority: -1 }), seconds: 60 });
    expect(nodesOf(cluster.round())).toEqual({ job_1: 'n1' });
  });

  it('keeps them away in the round in which it is placed itself', () => {
    const first = job('job_k', apart('site'), { priority: 5 });
    const twoSites = fleetOf([node('n1'), node('n2', { siteId: 's2' })], [site('s1'), site('s2')]);
    const plan = planOf(twoSites, first, noisy('job_1'), noisy('job_2'), job('job_3'));
    const placed = nodesOf(plan);
    expect(Object.keys(placed)).toHaveLength(4);
    expect([placed.job_1, placed.job_2]).not.toContain(placed.job_k);
  });

  it('is forgotten in the book of what runs when it has ended', () => {
    const snapshot = fleetOf(racks);
    const book = new RunningBook(new Fleet(snapshot), new AccountTree([]));
    const one = keeper('n1', apart('rack'));
    book.set('job_k', one);
    book.set('job_l', { ...one, id: 'job_l' });
    const { held } = [...book.keepers('t1')!.values()][0]!;
    expect(held.size).toBe(2);
    book.set('job_k', null);
    expect(held.size).toBe(1);
    book.set('job_l', null);
    expect(book.keepers('t1')).toBeUndefined();
  });

  it('is read the same from its row as from its spec', () => {
    const spec: SpecInput = {
      placement: {
        antiAffinity: [
          { jobs: { tier: ['b', 'a'], app: 'x' }, within: 'rack' },
          { jobs: { app: 'y' }, required: false },
        ],
      },
    };
    const stored = jobSpecSchema.parse({ name: 'job', command: 'true', ...spec });
    expect(keptApartOf(stored.placement!.antiAffinity!)).toEqual(keptApart(job('job_1', spec).shape));
    expect(keptApartOf(null)).toBeUndefined();
  });
});

describe('jobs of one tenant with and without rules', () => {
  it('never stand where either side forbids it, whatever comes first', () => {
    const jobArb = fc.record({
      app: fc.constantFrom('a', 'b', undefined),
      not: fc.constantFrom('a', 'b', undefined, undefined),
      within: fc.constantFrom(...domainLevels),
      priority: fc.nat(2),
      nodes: fc.constantFrom(1, 1, 2),
      seconds: fc.integer({ min: 30, max: 200 }),
      tenant: fc.constantFrom('t1', 't1', 't2'),
    });
    const labelsOf = (rack: number) => ({ rack: `r${rack}`, island: `i${rack}`, pod: 'p1' });
    const fleet = Array.from({ length: 6 }, (_, i) =>
      node(`n${i}`, { siteId: i < 4 ? 's1' : 's2', labels: labelsOf(i >> 1) }),
    );
    const part = (level: DomainLevel, id: string) => {
      const i = Number(id.slice(1));
      return { node: id, rack: i >> 1, island: i >> 1, pod: i < 4, site: i < 4 }[level];
    };
    fc.assert(
      fc.property(fc.array(jobArb, { minLength: 4, maxLength: 20 }), (specs) => {
        const cluster = new Cluster(fleet, []);
        const byId = new Map(specs.map((spec, i) => [`job_${String(i).padStart(2, '0')}`, spec]));
        const all = [...byId].map(([id, { app, not, within, priority, nodes, tenant }]) =>
          job(
            id,
            {
              ...(app !== undefined && { labels: { app } }),
              ...(not !== undefined && { placement: { antiAffinity: [{ jobs: { app: not }, within }] } }),
              resources: { nodes },
            },
            { priority, tenant },
          ),
        );
        for (const one of all) cluster.submit({ job: one, seconds: byId.get(one.id)!.seconds });
        for (let i = 0; i < 8; i += 1) {
          cluster.round();
          const running = [...cluster.running.values()];
          for (const one of running) {
            const { not, within, tenant } = byId.get(one.id)!;
            if (not === undefined) continue;
            for (const other of running) {
              const meant = byId.get(other.id)!;
              if (other === one || meant.tenant !== tenant || meant.app !== not) continue;
              for (const a of one.ranks) {
                for (const b of other.ranks) expect(part(within, a.nodeId)).not.toBe(part(within, b.nodeId));
              }
            }
          }
          cluster.pass(60);
        }
      }),
      { numRuns: 150, seed: 20_261_122 },
    );
  }, 60_000);
});
