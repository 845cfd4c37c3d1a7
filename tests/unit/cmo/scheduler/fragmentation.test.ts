import fc from 'fast-check';
import { describe, expect, it } from 'vitest';
import { Fleet } from '../../../../src/cmo/scheduler/core/fleet.ts';
import { devicesToTake, fragmentationAdded } from '../../../../src/cmo/scheduler/core/fragmentation.ts';
import { InvalidPolicyError } from '../../../../src/cmo/scheduler/core/policy.ts';
import { compileShape } from '../../../../src/cmo/scheduler/core/request.ts';
import type { NodeRow } from '../../../../src/cmo/scheduler/core/rows.ts';
import { schedule } from '../../../../src/cmo/scheduler/core/schedule.ts';
import { Scoreboard } from '../../../../src/cmo/scheduler/core/scoreboard.ts';
import type { ExpectedShape, PendingJob, Snapshot } from '../../../../src/cmo/scheduler/core/snapshot.ts';
import { RoundEngine } from '../../../../src/cmo/scheduler/worker/round-engine.ts';
import { device, devices, fleetOf, gib, job, node, now, policy, type SpecInput, site } from './support/builders.ts';

const least = policy({ name: 'priority-fragmentation/1', placement: 'least-fragmentation' });
const gpu = (more: object = {}, resources: object = {}): SpecInput => ({
  resources: { cpu: 1, devices: [more], ...resources },
});
const expecting = (snapshot: Snapshot, ...shapes: [PendingJob, number][]): Snapshot => ({
  ...snapshot,
  workload: shapes.map(([{ shape }, weight]) => ({ kind: shape, weight })),
});
const nodeOf = (snapshot: Snapshot, one: PendingJob) =>
  schedule(snapshot, [one], least, now).placements[0]!.ranks[0]!.nodeId;

describe('least fragmentation', () => {
  const small = job('small', gpu({ fraction: 0.2 }));
  const large = job('large', gpu({ fraction: 0.8 }));

  it('puts a small share where only small ones fit, though the node is emptier', () => {
    const nodes = [
      node('n1', { devices: devices('n1', 1, { usedMilli: 200 }) }),
      node('n2', { devices: devices('n2', 1, { usedMilli: 800 }) }),
    ];
    const snapshot = expecting(fleetOf(nodes), [small, 1], [large, 4]);
    expect(nodeOf(snapshot, small)).toBe('n2');
    expect(nodeOf(snapshot, large)).toBe('n1');
  });

  it('fills a shared device before it opens another on the same node', () => {
    const nodes = [node('n1', { devices: [device('d1'), device('d2', { usedMilli: 500 })] })];
    const half = job('half', gpu({ fraction: 0.5 }));
    const [placement] = schedule(fleetOf(nodes), [half], least, now).placements;
    expect(placement!.ranks[0]!.devices).toEqual([{ deviceId: 'd2', milli: 500 }]);
  });

  it('keeps cores beside free devices for those who need devices', () => {
    const nodes = [
      node('n1', { cpuMilli: 8000, devices: devices('n1', 1) }),
      node('n2', { cpuMilli: 64_000, devices: devices('n2', 1) }),
    ];
    const hungry = job('hungry', gpu({}, { cpu: 8 }));
    const plain = job('plain', { resources: { cpu: 4 } });
    expect(nodeOf(expecting(fleetOf(nodes), [hungry, 1], [plain, 1]), plain)).toBe('n2');
  });

  it('keeps whole nodes for those who want eight devices', () => {
    const nodes = [
      node('n1', { devices: devices('n1', 8) }),
      node('n2', { devices: [...devices('n2', 7), device('n2-x', { usedMilli: 1000 })] }),
    ];
    const eight = job('eight', gpu({ count: 8 }));
    const one = job('one', gpu());
    expect(nodeOf(expecting(fleetOf(nodes), [eight, 1], [one, 1]), one)).toBe('n2');
  });

  it('sends work without devices to nodes without, the fullest first', () => {
    const nodes = [
      node('n1', { devices: devices('n1', 1) }),
      node('n2'),
      node('n3', { usedCpuMilli: 12_000, usedMemoryBytes: 50 * gib }),
    ];
    expect(nodeOf(fleetOf(nodes), job('plain', { resources: { cpu: 1 } }))).toBe('n3');
  });

  it('takes the dearer site only when nothing cheaper fits', () => {
    const sites = [site('s1', { deviceUsdPerHour: 4_000_000 }), site('s2')];
    const nodes = [
      node('n1', { devices: devices('n1', 1) }),
      node('n2', { siteId: 's2', devices: devices('n2', 8) }),
      node('n3', { siteId: 's2', scheduling: 'cordoned', devices: devices('n3', 1) }),
    ];
    expect(nodeOf(fleetOf(nodes, sites), job('one', gpu()))).toBe('n2');
    expect(nodeOf(fleetOf([nodes[0]!, nodes[2]!], sites), job('one', gpu()))).toBe('n1');
  });

  it('says how much each candidate adds, with the unit', () => {
    const nodes = [node('n1', { devices: devices('n1', 1, { usedMilli: 800 }) }), node('n2')];
    const [placement] = schedule(expecting(fleetOf(nodes), [small, 1], [large, 1]), [small], least, now).placements;
    const terms = placement!.explanation.candidates[0]!.terms;
    const added = terms.find(({ name }) => name === 'fragmentation_added')!;
    expect(added.unit).toBe('thousandths of a device');
    expect(added.value).toBeLessThan(0);
    expect(placement!.explanation.policy).toBe('priority-fragmentation/1');
  });

  it('expects what is queued while nothing was learned', () => {
    const nodes = [
      node('n1', { devices: devices('n1', 1, { usedMilli: 200 }) }),
      node('n2', { devices: devices('n2', 1, { usedMilli: 800 }) }),
    ];
    const plan = schedule(fleetOf(nodes), [small, large], least, now);
    expect(plan.placements.map(({ jobId, ranks }) => [jobId, ranks[0]!.nodeId])).toEqual([
      ['large', 'n1'],
      ['small', 'n2'],
    ]);
  });

  it('is a rule that must be named right', () => {
    const wrong = { ...least, placement: 'tightest' as 'best-fit' };
    expect(() => schedule(fleetOf([]), [], wrong, now)).toThrow(InvalidPolicyError);
  });
});

describe('power', () => {
  const frugal = { model: 'L4' };
  const hungry = { model: 'H100' };
  const powered = (nodes: readonly NodeRow[]): Snapshot => {
    const snapshot = fleetOf(nodes);
    const busy: Record<string, number> = { H100: 700, L4: 72 };
    return {
      ...snapshot,
      power: {
        deviceIdleWatts: Float64Array.from([0, ...snapshot.models.map(() => 20)]),
        deviceBusyWatts: Float64Array.from([0, ...snapshot.models.map((model) => busy[model]!)]),
        processor: { cores: 8, threadsPerCore: 1, idleWatts: 10, busyWatts: 100 },
      },
    };
  };
  const half = job('half', gpu({ fraction: 0.5 }));

  it('decides while the fleet is idle: the frugal device, and one that is awake before one that sleeps', () => {
    const nodes = [
      node('n1', { devices: devices('n1', 4, hungry) }),
      node('n2', { devices: devices('n2', 4, frugal) }),
    ];
    expect(nodeOf(powered(nodes), half)).toBe('n2');
    const awake = [
      node('n1', {
        usedCpuMilli: 4000,
        devices: [device('a', { ...hungry, usedMilli: 400 }), ...devices('n1', 3, hungry)],
      }),
      node('n2', { devices: devices('n2', 4, frugal) }),
    ];
    const [placement] = schedule(powered(awake), [half], least, now).placements;
    expect(placement!.ranks[0]!.devices).toEqual([{ deviceId: 'a', milli: 500 }]);
  });

  it('is not looked at without figures, and said with its unit with them', () => {
    const nodes = [node('n1', { devices: devices('n1', 1, hungry) })];
    const termsOf = (snapshot: Snapshot) =>
      schedule(snapshot, [half], least, now).placements[0]!.explanation.candidates[0]!.terms;
    expect(termsOf(fleetOf(nodes)).some(({ name }) => name === 'power_added')).toBe(false);
    expect(termsOf(powered(nodes))).toContainEqual({ name: 'power_added', value: 770, unit: 'W' });
  });

  it('outweighs fragmentation while the fleet is idle, and no more when it is full', () => {
    const small = job('small', gpu({ fraction: 0.2 }));
    const exact = job('exact', gpu({ fraction: 0.3 }));
    const choiceWith = (usedMilli: number) => {
      const others = Array.from({ length: 30 }, (_, i) =>
        node(`other-${i}`, { scheduling: 'cordoned', devices: devices(`other-${i}`, 8, { ...hungry, usedMilli }) }),
      );
      const nodes = [
        node('awake', { usedCpuMilli: 100, devices: devices('awake', 1, { ...hungry, usedMilli: 700 }) }),
        node('asleep', { usedCpuMilli: 100, devices: devices('asleep', 1, hungry) }),
      ];
      return nodeOf(expecting(powered([...others, ...nodes]), [exact, 9], [small, 1]), small);
    };
    expect(choiceWith(0)).toBe('awake');
    expect(choiceWith(1000)).toBe('asleep');
  });
});

const nodeArb = (id: string): fc.Arbitrary<NodeRow> =>
  fc
    .record({
      cpuMilli: fc.integer({ min: 1000, max: 16_000 }),
      devices: fc.array(
        fc.record({
          model: fc.constantFrom('H100', 'A100'),
          usedMilli: fc.constantFrom(0, 0, 0, 250, 500, 1000),
          healthy: fc.constantFrom(true, true, true, false),
        }),
        { maxLength: 4 },
      ),
    })
    .map(({ cpuMilli, ...made }) =>
      node(id, { cpuMilli, devices: made.devices.map((one, i) => device(`${id}-${i}`, one)) }),
    );
const fleetArb = fc
  .integer({ min: 1, max: 6 })
  .chain((count) => fc.tuple(...Array.from({ length: count }, (_, i) => nodeArb(`n${i}`))));
const jobArb = fc.constantFrom(
  job('plain', { resources: { cpu: 2 } }),
  job('quarter', gpu({ fraction: 0.25 })),
  job('half', gpu({ fraction: 0.5, model: 'H100' })),
  job('one', gpu()),
  job('two', gpu({ count: 2 })),
  job('mixed', { resources: { devices: [{ fraction: 0.5 }, { model: 'A100' }] } }),
);

const scoresOf = (board: Scoreboard, nodes: readonly unknown[]) => nodes.map((_, row) => board.scoreOf(row));

describe('scores of nodes', () => {
  it('are after any placements what they are for a board that is made anew', () => {
    fc.assert(
      fc.property(fleetArb, jobArb, fc.array(jobArb, { maxLength: 12 }), (nodes, watched, taken) => {
        const workload: ExpectedShape[] = [watched, ...taken].map(({ shape }) => ({ kind: shape, weight: 1 }));
        const snapshot = fleetOf(nodes);
        const fleet = new Fleet(snapshot, workload);
        const board = new Scoreboard(fleet, compileShape(watched.shape, snapshot)[0]!);
        for (const [i, one] of taken.entries()) {
          const other = new Scoreboard(fleet, compileShape(one.shape, snapshot)[0]!);
          const rows = other.choose();
          if (rows === undefined) continue;
          const choice = devicesToTake(fleet, other.request, rows[0]!);
          fleet.take(rows[0]!, other.request, choice.rows, choice.milli);
          if (i % 3 === 0) board.sync();
        }
        board.sync();
        const fresh = new Scoreboard(fleet, board.request);
        expect(scoresOf(board, nodes)).toEqual(scoresOf(fresh, nodes));
        expect(board.feasibleCount).toBe(fresh.feasibleCount);
        expect(board.rejections()).toEqual(fresh.rejections());
        expect(board.choose()).toEqual(fresh.choose());
      }),
      { numRuns: 300 },
    );
  });

  it('never fall so low that they count as a rejection', () => {
    fc.assert(
      fc.property(fleetArb, jobArb, fc.array(jobArb, { minLength: 1, maxLength: 4 }), (nodes, one, expected) => {
        const snapshot = fleetOf(nodes);
        const fleet = new Fleet(
          snapshot,
          expected.map(({ shape }) => ({ kind: shape, weight: 1 })),
        );
        const board = new Scoreboard(fleet, compileShape(one.shape, snapshot)[0]!);
        for (const [row, score] of scoresOf(board, nodes).entries()) {
          if (score === Number.POSITIVE_INFINITY) continue;
          expect(score).toBeGreaterThanOrEqual(0);
          const added = fragmentationAdded(fleet, board.request, row);
          expect(added).toBeGreaterThanOrEqual(-1000 - 2 * board.request.deviceMilli);
        }
      }),
      { numRuns: 300 },
    );
  });
});

describe('the engine', () => {
  const feed = (engine: RoundEngine, one: PendingJob, id: string) =>
    engine.apply({ jobs: [[id, { job: { ...one, id }, reason: 'new' }]] });

  it('learns each job once, whatever becomes of it, and plans by what it learned', () => {
    const engine = new RoundEngine();
    const nodes = [
      node('n1', { devices: devices('n1', 1, { usedMilli: 200 }) }),
      node('n2', { devices: devices('n2', 1, { usedMilli: 800 }) }),
    ];
    engine.apply({ sites: [[site().id, site()]], nodes: nodes.map((row) => [row.id, row]) });
    const large = job('large', gpu({ fraction: 0.8 }));
    for (let i = 0; i < 20; i += 1) {
      feed(engine, large, `large-${i}`);
      feed(engine, large, `large-${i}`);
      engine.apply({ jobs: [[`large-${i}`, null]] });
    }
    feed(engine, job('small', gpu({ fraction: 0.2 })), 'small');
    let workload: Snapshot['workload'];
    engine.run(least, now, ({ snapshot }) => {
      workload = snapshot.workload;
    });
    expect(workload!.map(({ weight }) => Math.round(weight))).toEqual([20, 1]);
    expect(engine.placements(0, 1)[0]!.ranks[0]!.nodeId).toBe('n2');
  });

  it('forgets what it learned when all is read anew', () => {
    const engine = new RoundEngine();
    feed(engine, job('one', gpu()), 'one');
    engine.reset();
    engine.run(least, now, ({ snapshot }) => expect(snapshot.workload).toEqual([]));
  });
});
