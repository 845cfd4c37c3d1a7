import fc from 'fast-check';
import { describe, expect, it } from 'vitest';
import { type Booking, endBy, isFor, nextTurn } from '../../../../../src/cmo/scheduler/core/calendar/booking.ts';
import type { RunningJob } from '../../../../../src/cmo/scheduler/core/running.ts';
import { schedule } from '../../../../../src/cmo/scheduler/core/schedule.ts';
import type { PendingJob } from '../../../../../src/cmo/scheduler/core/snapshot.ts';
import { RoundEngine } from '../../../../../src/cmo/scheduler/worker/round-engine.ts';
import { device, devices, fleetOf, job, node, now, policy, site } from '../support/builders.ts';

const hour = 3_600_000;
const booking = (more: Partial<Booking> = {}): Booking => ({
  id: 'rsv_1',
  tenant: 't2',
  project: null,
  startsAt: now + 4 * hour,
  endsAt: now + 6 * hour,
  nodes: ['n0'],
  ...more,
});
const hours = (count: number): Partial<PendingJob> => ({
  runTime: { likelySeconds: count * 3600, carefulSeconds: count * 3600 },
});
const mine = { tenant: 't2', project: 'p2' };
const gpu = (count = 1, nodes = 1) => ({ resources: { devices: [{ count }], nodes } });
const nodes = (count: number) =>
  Array.from({ length: count }, (_, i) => node(`n${i}`, { devices: devices(`n${i}`, 4) }));

function plan(
  jobs: readonly PendingJob[],
  calendar: readonly Booking[],
  count = 1,
  running: readonly RunningJob[] = [],
) {
  return schedule({ ...fleetOf(nodes(count)), calendar, running }, jobs, policy(), now);
}
const placed = (...of: Parameters<typeof plan>) => plan(...of).placements.map(({ jobId }) => jobId as string);
const verdict = (...of: Parameters<typeof plan>) => plan(...of).pending[0];

function runs(id: string, on: string, more: Partial<RunningJob> = {}): RunningJob {
  const rank = { nodeId: on, cpuMilli: 1000, memoryBytes: 0, diskBytes: 0, devices: [] };
  return {
    id,
    tenant: 't1',
    project: 'p1',
    priority: 0,
    ranks: [rank],
    startedAt: now - 1000,
    checkpointAt: null,
    endsAt: null,
    preemptible: true,
    stopping: null,
    ...more,
  };
}

describe('a node that is reserved from later on', () => {
  it('takes jobs of others that have ended by then, and no others', () => {
    expect(placed([job('short', gpu(), hours(2))], [booking()])).toEqual(['short']);
    expect(placed([job('long', gpu(), hours(5))], [booking()])).toEqual([]);
    expect(placed([job('unknown', gpu())], [booking()])).toEqual([]);
  });

  it('takes jobs of which nobody knows how long they run while it is more than a day off', () => {
    const inHours = (count: number) => booking({ startsAt: now + count * hour, endsAt: now + 100 * hour });
    expect(placed([job('unknown', gpu())], [inHours(25)])).toEqual(['unknown']);
    expect(placed([job('unknown', gpu())], [inHours(23)])).toEqual([]);
  });

  it('says so to who waits for it, with what would let it start, and not whose it is', () => {
    const { reason, detail } = verdict([job('unknown', gpu())], [booking()])!;
    expect(reason).toBe('reserved_for_others');
    expect(detail.message).toBe(
      'Free nodes would hold it, but they are reserved for others from 2026-11-22T04:00:00.000Z until 2026-11-22T06:00:00.000Z, and nobody knows how long it runs. With a time limit (`timeouts.run`) below 3 h it could start now.',
    );
    expect(detail.rejections).toEqual({ reserved: 1 });
    expect(verdict([job('long', gpu(), hours(5))], [booking()])!.detail.message).toContain('it may run for');
    // Cores without devices are promised, too.
    expect(verdict([job('cpu')], [booking()])!.reason).toBe('reserved_for_others');
  });

  it('is taken when nothing else is free only, and is nothing to who fits nowhere anyway', () => {
    const { placements } = plan([job('short', gpu(), hours(2))], [booking()], 2);
    expect(placements[0]!.ranks[0]!.nodeId).toBe('n1');
    expect(verdict([job('large', gpu(8))], [booking()])!.reason).toBe('no_matching_node');
    const full = [runs('job_a', 'n0', { ranks: [{ ...runs('x', 'n0').ranks[0]!, cpuMilli: 16_000 }] })];
    const snapshot = fleetOf([node('n0', { usedCpuMilli: 16_000 })]);
    const { pending } = schedule({ ...snapshot, calendar: [booking()], running: full }, [job('waits')], policy(), now);
    expect(pending[0]!.reason).toBe('insufficient_capacity');
  });

  it('is told among the nodes that could take a job where it may stand there, and among the refused where not', () => {
    const why = (...of: Parameters<typeof plan>) => plan(...of).placements[0]!.explanation;
    const [alone] = why([job('mine', gpu(), mine)], []).candidates;
    for (const may of [job('mine', gpu(), mine), job('short', gpu(), hours(2))]) {
      const { candidates, feasibleCount, rejections } = why([may], [booking()]);
      expect({ feasibleCount, rejections }).toEqual({ feasibleCount: 1, rejections: {} });
      // What is promised later on changes nothing of the score.
      expect(candidates).toEqual([alone]);
    }
    const three = [booking({ nodes: ['n0', 'n2'] }), booking({ id: 'rsv_2', tenant: 't3', nodes: ['n1'] })];
    const { candidates, feasibleCount, rejections } = why([job('mine', gpu(), mine)], three, 4);
    expect({ feasibleCount, rejections }).toEqual({ feasibleCount: 3, rejections: { reserved: 1 } });
    expect(candidates.map(({ nodeId }) => nodeId as string)).toEqual(['n3', 'n0', 'n2']);
    expect(new Set(candidates.map(({ score }) => score)).size).toBe(1);
  });

  it('is its owner’s to use before, too', () => {
    expect(placed([job('own', gpu(), mine)], [booking()])).toEqual(['own']);
  });
});

describe('a node whose reservation has begun', () => {
  const open = (more: Partial<Booking> = {}) => booking({ startsAt: now - hour, ...more });

  it('takes jobs of its owner first of all nodes, and none of others', () => {
    const { placements } = plan([job('own', gpu(), mine)], [open({ nodes: ['n1'] })], 2);
    expect(placements[0]!.ranks[0]!.nodeId).toBe('n1');
    expect(placements[0]!.calendar!.reservations).toEqual(['rsv_1']);
    expect(placed([job('other', gpu(), hours(0.1))], [open()])).toEqual([]);
    expect(verdict([job('other', gpu())], [open()])!.detail.message).toBe(
      'Free nodes would hold it, but they are reserved for others until 2026-11-22T06:00:00.000Z.',
    );
  });

  it('takes a gang of its owner, on other nodes too where it does not suffice', () => {
    expect(placed([job('gang', gpu(1, 2), mine)], [open({ nodes: ['n0', 'n1'] })], 3)).toEqual(['gang']);
    expect(placed([job('gang', gpu(1, 3), mine)], [open({ nodes: ['n0', 'n1'] })], 3)).toEqual(['gang']);
    expect(placed([job('gang', gpu(1, 2))], [open({ nodes: ['n0', 'n1'] })], 3)).toEqual([]);
  });

  it('of a project is for no other project of the tenant, whichever is asked first', () => {
    const one = open({ project: 'p2' });
    const jobs = [job('a', gpu(), { ...mine, project: 'p3' }), job('b', gpu(), mine)];
    expect(placed(jobs, [one])).toEqual(['b']);
    expect(placed(jobs, [open()])).toEqual(['a', 'b']);
  });

  it('ends what stands there of others, once, and nothing of its owner', () => {
    const running = [runs('job_other', 'n0'), runs('job_own', 'n0', mine), runs('job_away', 'n1')];
    expect(plan([], [open()], 2, running).preemptions).toEqual([{ jobId: 'job_other', inFavourOf: 'rsv_1' }]);
    expect(plan([], [booking()], 2, running).preemptions).toEqual([]);
    expect(plan([], [open()], 2, [runs('job_other', 'n0', { stopping: 'cancel' })]).preemptions).toEqual([]);
    expect(plan([], [open({ project: 'p9' })], 2, [runs('job_own', 'n0', mine)]).preemptions).toHaveLength(1);
  });

  it('keeps its owner’s job off when the next reservation begins before it ends', () => {
    const next = booking({ id: 'rsv_2', tenant: 't3', startsAt: now + hour, endsAt: now + 9 * hour });
    const both = [open({ endsAt: now + hour }), next];
    expect(placed([job('own', gpu(), { ...mine, ...hours(2) })], both)).toEqual([]);
    expect(placed([job('own', gpu(), { ...mine, ...hours(0.5) })], both)).toEqual(['own']);
  });

  it('is nobody’s any more when it is over', () => {
    const over = booking({ startsAt: now - 2 * hour, endsAt: now });
    expect(placed([job('other', gpu())], [over])).toEqual(['other']);
    expect(plan([job('other', gpu())], [over]).placements[0]!.calendar).toBeUndefined();
  });
});

describe('a calendar that makes no sense', () => {
  it('lets nobody onto a node rather than the wrong one, and passes over nodes that are gone', () => {
    expect(placed([job('a', gpu(), hours(1))], [booking({ startsAt: Number.NaN })])).toEqual([]);
    expect(placed([job('a', gpu())], [booking({ nodes: ['gone'] })])).toEqual(['a']);
    expect(placed([job('a', gpu())], [booking({ nodes: [] })])).toEqual(['a']);
  });
});

describe('rounds', () => {
  it('are due when a reservation begins or ends', () => {
    expect(nextTurn([booking()], now)).toBe(now + 4 * hour);
    expect(nextTurn([booking()], now + 5 * hour)).toBe(now + 6 * hour);
    expect(nextTurn([booking()], now + 6 * hour)).toBeNull();
    const engine = new RoundEngine();
    engine.apply({ calendar: [booking()] });
    expect(engine.run(policy(), now).nextAt).toBe(now + 4 * hour);
  });

  it('take a calendar over, and forget it, from one to the next', () => {
    const engine = new RoundEngine();
    const waiting = job('job_1', gpu());
    engine.apply({
      now,
      sites: [['s1', site()]],
      nodes: [['n0', node('n0', { devices: [device('d')] })]],
      calendar: [booking()],
      jobs: [['job_1', { job: waiting, reason: 'new' }]],
    });
    expect(engine.run(policy(), now).placementCount).toBe(0);
    engine.apply({ calendar: [] });
    expect(engine.run(policy(), now).placementCount).toBe(1);
  });
});

describe('whatever is reserved and queued', () => {
  const bookings = fc
    .array(
      fc.record({ tenant: fc.integer({ min: 1, max: 3 }), from: fc.integer({ min: -4, max: 40 }), node: fc.nat(3) }),
      {
        maxLength: 6,
      },
    )
    .map((list) =>
      list
        // A node is promised once at a time, as the database holds.
        .filter(
          (one, i) => !list.slice(0, i).some((other) => other.node === one.node && Math.abs(other.from - one.from) < 4),
        )
        .map(
          ({ tenant, from, node: on }, i): Booking => ({
            id: `rsv_${i}`,
            tenant: `t${tenant}`,
            project: null,
            startsAt: now + from * hour,
            endsAt: now + (from + 4) * hour,
            nodes: [`n${on}`],
          }),
        ),
    );
  const queue = fc.array(
    fc.record({
      tenant: fc.integer({ min: 1, max: 3 }),
      hours: fc.integer({ min: 0, max: 48 }),
      count: fc.nat(4),
      ranks: fc.integer({ min: 1, max: 3 }),
    }),
    { maxLength: 20 },
  );

  it('no job is placed where it may stand when the node is promised to others', () => {
    fc.assert(
      fc.property(bookings, queue, (calendar, wanted) => {
        const jobs = wanted.map(({ tenant, hours: length, count, ranks }, i) =>
          job(`job_${String(i).padStart(2, '0')}`, count === 0 ? {} : gpu(count, ranks), {
            tenant: `t${tenant}`,
            ...(length > 0 && hours(length)),
          }),
        );
        const { placements, pending } = plan(jobs, calendar, 4);
        expect(placements.length + pending.length).toBe(jobs.length);
        for (const { jobId, ranks, calendar: checked } of placements) {
          const placedJob = jobs.find(({ id }) => id === jobId)!;
          const until =
            placedJob.runTime === undefined ? endBy(now, Infinity) : now + placedJob.runTime.carefulSeconds * 1000;
          for (const { nodeId } of ranks) {
            for (const one of calendar.filter(({ nodes: on, endsAt }) => on.includes(nodeId) && endsAt > now)) {
              expect(isFor(one, placedJob) || until <= one.startsAt).toBe(true);
              expect(
                isFor(one, placedJob) ? checked!.reservations.includes(one.id) : checked!.endsBy <= one.startsAt,
              ).toBe(true);
            }
          }
        }
      }),
      { numRuns: 200 },
    );
  });
});
