import { describe, expect, it } from 'vitest';
import { InvalidPolicyError } from '../../../../src/cmo/scheduler/core/policy.ts';
import { schedule } from '../../../../src/cmo/scheduler/core/schedule.ts';
import type { PendingJob } from '../../../../src/cmo/scheduler/core/snapshot.ts';
import { device, devices, fleetOf, gib, job, node, now, policy, site } from './support/builders.ts';

const gpu = (more: object = {}) => ({ resources: { devices: [more] } });
const verdictOf = (nodes: Parameters<typeof fleetOf>[0], one: PendingJob, sites = [site()]) => {
  const plan = schedule(fleetOf(nodes, sites), [one], policy(), now);
  expect(plan.placements).toEqual([]);
  expect(plan.pending).toHaveLength(1);
  return plan.pending[0]!;
};
const placeOf = (nodes: Parameters<typeof fleetOf>[0], one: PendingJob, sites = [site()]) =>
  schedule(fleetOf(nodes, sites), [one], policy(), now).placements[0];

describe('where a job goes', () => {
  it('is the node that it fills best', () => {
    const nodes = [node('n1'), node('n2', { usedCpuMilli: 12_000, usedMemoryBytes: 50 * gib }), node('n3')];
    expect(placeOf(nodes, job('job_1', { resources: { cpu: 4 } }))!.ranks[0]!.nodeId).toBe('n2');
  });

  it('is away from devices when it needs none', () => {
    const nodes = [node('n1', { devices: devices('n1', 2), usedCpuMilli: 8000 }), node('n2')];
    expect(placeOf(nodes, job('job_1'))!.ranks[0]!.nodeId).toBe('n2');
  });

  it('is a device that is shared already when a fraction is asked for, and an unused one for a whole', () => {
    const shared = [device('d1'), device('d2', { usedMilli: 500 })];
    const nodes = [node('n1', { devices: shared })];
    expect(placeOf(nodes, job('job_1', gpu({ fraction: 0.5 })))!.ranks[0]!.devices).toEqual([
      { deviceId: 'd2', milli: 500 },
    ]);
    expect(placeOf(nodes, job('job_2', gpu()))!.ranks[0]!.devices).toEqual([{ deviceId: 'd1', milli: 1000 }]);
  });

  it('finds the one assignment in which several requests all get their device', () => {
    const nodes = [node('n1', { devices: [device('d1', { model: 'A100' }), device('d2', { usedMilli: 500 })] })];
    const asked = { resources: { devices: [{ fraction: 0.5 }, { fraction: 0.5, model: 'H100' }] } };
    expect(placeOf(nodes, job('job_1', asked))!.ranks[0]!.devices).toEqual([
      { deviceId: 'd1', milli: 500 },
      { deviceId: 'd2', milli: 500 },
    ]);
  });

  it('takes the first alternative that fits anywhere', () => {
    const nodes = [
      node('n1', { devices: devices('n1', 1, { model: 'A100' }) }),
      node('n2', { devices: devices('n2', 1) }),
    ];
    const asked = { resources: { devices: { anyOf: [[{ model: 'H100' }], [{ model: 'A100' }]] } } };
    expect(placeOf(nodes, job('job_1', asked))!.ranks[0]!.nodeId).toBe('n2');
    expect(placeOf(nodes.slice(0, 1), job('job_1', asked))!.ranks[0]!.nodeId).toBe('n1');
  });

  it('is the cheaper site, unless that is full', () => {
    const sites = [site('s1', { deviceUsdPerHour: 4_000_000 }), site('s2')];
    const nodes = [node('n1', { devices: devices('n1', 1) }), node('n2', { siteId: 's2', devices: devices('n2', 8) })];
    expect(placeOf(nodes, job('job_1', gpu()), sites)!.siteId).toBe('s2');
    expect(placeOf(nodes.slice(0, 1), job('job_1', gpu()), sites)!.siteId).toBe('s1');
  });

  it('is one site and distinct nodes for a gang', () => {
    const nodes = ['n1', 'n2', 'n3'].map((id, i) => node(id, { siteId: i === 0 ? 's1' : 's2' }));
    const gang = job('job_1', { resources: { nodes: 2 } });
    const placement = placeOf(nodes, gang, [site('s1', { cpuUsdPerHour: 0 }), site('s2')])!;
    expect(placement.siteId).toBe('s2');
    expect(placement.ranks.map(({ nodeId }) => nodeId)).toEqual(['n2', 'n3']);
  });

  it('is explained with terms and units, and says when a stronger isolation is used', () => {
    const placement = placeOf(
      [node('n1', { isolation: ['sandbox'] }), node('n2', { presence: 'lost' })],
      job('job_1', { isolation: 'process' }),
    )!;
    expect(placement.explanation).toMatchObject({ feasibleCount: 1, rejections: { presence: 1 }, round: 0 });
    const [candidate] = placement.explanation.candidates;
    expect(candidate!.terms).toContainEqual({ name: 'cpu_left', value: 15, unit: 'cores' });
    expect(candidate!.terms.map(({ name }) => name)).toContain('isolation_sandbox');
  });

  it('is a container for an image, and never one without', () => {
    const nodes = [node('n1', { isolation: ['process', 'sandbox'] }), node('n2', { isolation: ['container'] })];
    expect(placeOf(nodes, job('job_1', { image: 'alpine' }))!.ranks[0]!.nodeId).toBe('n2');
    expect(placeOf(nodes, job('job_1'))!.ranks[0]!.nodeId).toBe('n1');
    expect(placeOf(nodes.slice(1), job('job_1'))).toBeUndefined();
    expect(placeOf(nodes.slice(0, 1), job('job_1', { image: 'alpine' }))).toBeUndefined();
  });
});

describe('why a job waits', () => {
  const full = (id: string) => node(id, { devices: devices(id, 8, { usedMilli: 1000 }) });

  it.each([
    [
      'no_matching_node',
      [node('n1')],
      gpu({ count: 64, model: 'H100' }),
      'Needs 64 × H100 on one node; the largest node has none.',
    ],
    [
      'no_matching_node',
      [node('n1')],
      { resources: { cpu: 32 } },
      'Needs 32 cores on one node; the largest node has 16 cores.',
    ],
    ['no_matching_node', [], {}, 'There is no node yet. Join one with `solyx agent`.'],
    ['no_matching_node', [node('n1', { isolation: ['process'] })], {}, 'No node offers isolation sandbox or stronger.'],
    ['no_matching_node', [node('n1')], { network: 'host' }, 'No node allows the host network.'],
    [
      'no_matching_node',
      [node('n1')],
      { resources: { nodes: 2 } },
      'Needs 2 nodes at one site; at most 1 at one site could hold a rank. Ask for fewer or smaller ranks.',
    ],
    [
      'insufficient_capacity',
      [full('n1'), full('n2')],
      gpu({ count: 2 }),
      'Needs 2 more GPUs on one node; 2 nodes could hold it when their work ends.',
    ],
    [
      'nodes_unavailable',
      [node('n1', { presence: 'lost' }), node('n2', { scheduling: 'draining' })],
      {},
      '2 nodes could hold it, but not while nodes are away (1 not ready, 1 cordoned or draining); it goes on when they are back.',
    ],
    [
      'price_above_limit',
      [node('n1', { devices: devices('n1', 1) })],
      { ...gpu(), pricing: { maxPricePerHour: '1' } },
      'Its limit is $1.00 an hour; the cheapest site that could hold it costs $2.010500 an hour. Raise maxPricePerHour to that.',
    ],
  ] as const)('%s: %#', (reason, nodes, spec, message) => {
    const verdict = verdictOf(nodes, job('job_1', spec as never));
    expect(verdict.reason).toBe(reason);
    expect(verdict.detail.message).toBe(message);
  });

  it('is its own time when that has not come', () => {
    const early = { notBefore: now + 60_000, notBeforeReason: 'retry_backoff' } as const;
    expect(verdictOf([node('n1')], job('job_1', {}, early))).toMatchObject({ reason: 'retry_backoff' });
    expect(verdictOf([node('n1')], job('job_1', {}, { ...early, notBeforeReason: 'earliest_start' }))).toMatchObject({
      reason: 'earliest_start',
      detail: { message: 'Its earliest start is 2026-11-22T00:01:00.000Z.' },
    });
  });
});

describe('absurd input', () => {
  it.each([Number.NaN, -5, Number.POSITIVE_INFINITY])('amount %s in a request is never placed and named', (bad) => {
    const good = job('job_1');
    const resources = { ...good.shape.resources, cpuMilli: bad };
    const verdict = verdictOf([node('n1')], { ...good, shape: { ...good.shape, key: 'bad', resources } });
    expect(verdict.reason).toBe('no_matching_node');
    expect(verdict.detail.message).toContain(`cpuMilli is ${bad}`);
  });

  it('in a node means that nothing fits there', () => {
    const broken = [
      node('n1', { cpuMilli: Number.NaN }),
      node('n2', { usedMemoryBytes: Number.NaN }),
      node('n3', { usedCpuMilli: 99_000 }),
      node('n4', { siteId: 'unknown' }),
    ];
    expect(schedule(fleetOf(broken), [job('job_1')], policy(), now).placements).toEqual([]);
  });

  it('free beyond capacity is not believed', () => {
    expect(placeOf([node('n1', { usedCpuMilli: -50_000 })], job('job_1', { resources: { cpu: 17 } }))).toBeUndefined();
  });

  it('in prices means that the site takes no work', () => {
    expect(placeOf([node('n1')], job('job_1'), [site('s1', { cpuUsdPerHour: Number.NaN })])).toBeUndefined();
    expect(placeOf([node('n1')], job('job_1'), [site('s1', { cpuUsdPerHour: -1 })])).toBeUndefined();
  });

  it('in order counts as last', () => {
    const odd = job('job_0', {}, { priority: Number.NaN, submittedAt: Number.NaN });
    const plan = schedule(fleetOf([node('n1')]), [odd, job('job_1')], policy(), now);
    expect(plan.placements.map(({ jobId }) => jobId)).toEqual(['job_1', 'job_0']);
  });

  it('in the policy or the time is a named error', () => {
    const run = (more: object, at = now) => schedule(fleetOf([]), [], policy(more), at);
    expect(() => run({ maxPlacements: 0 })).toThrow(InvalidPolicyError);
    expect(() => run({ maxReservations: -1 })).toThrow(InvalidPolicyError);
    expect(() => run({ reserveAfterSeconds: Number.NaN })).toThrow(InvalidPolicyError);
    expect(() => run({}, Number.NaN)).toThrow(RangeError);
  });
});
