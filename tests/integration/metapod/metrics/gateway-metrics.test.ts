import { afterAll, beforeAll, beforeEach, describe, expect, it } from 'vitest';
import type { MetricsBatch, WirePoint } from '../../../../src/common/contract/agent/metrics.ts';
import { metricLimits } from '../../../../src/common/contract/agent/metrics.ts';
import { withSystem, withTenant } from '../../../../src/common/database/index.ts';
import { listMetricSeries, readMetricPoints, readMetricProgress } from '../../../../src/metapod/gateway/index.ts';
import { Fleet, type PlacedRank } from '../support/fleet.ts';
import type { StartedGateway } from '../support/gateway.ts';
import { hello, RawAgent } from '../support/raw-agent.ts';

let fleet: Fleet;
let gateway: StartedGateway;
let node: { nodeId: string; token: string };
let placed: PlacedRank;
let agent: RawAgent;
beforeAll(async () => {
  fleet = await Fleet.create();
  gateway = await fleet.startGateway();
});
afterAll(() => fleet.close());
beforeEach(async () => {
  node = await fleet.makeNode();
  placed = await fleet.place(node.nodeId);
  agent = await connect();
});

const connect = () =>
  RawAgent.connected(gateway.url, node.token, { protocol: 2, inventory: { ...hello().inventory, name: node.nodeId } });

const at = Date.parse('2026-01-01T00:00:00Z');
const point = (step: number, value: number | null, count = 1): WirePoint =>
  value === null ? [step, at, 0, count, null, null, null] : [step, at, count, 0, value, value, value];
const batch = (series: Record<string, WirePoint[]>, changes: Partial<MetricsBatch> = {}): MetricsBatch => ({
  series: Object.entries(series).map(([name, points]) => ({ name, width: 1, points })),
  position: 'somewhere',
  ignored: 0,
  complete: false,
  ...changes,
});

async function send(seq: number, content: MetricsBatch | null, changes = {}, through = agent) {
  const { attemptId, token } = placed;
  through.send({ type: 'metrics', attemptId, rank: 0, token: String(token), seq, batch: content, ...changes });
  return through.next('metricsAck');
}

const series = () => withSystem(fleet.db, (tx) => listMetricSeries(tx, [placed.attemptId]));
async function points(name: string, most = 10_000) {
  const found = (await series()).find((one) => one.name === name)!;
  return withSystem(fleet.db, (tx) => readMetricPoints(tx, found, most));
}

describe('metrics of a rank', () => {
  it('are stored with what each series says, and a gap where a value was no number', async () => {
    expect(await send(0, null)).toMatchObject({ next: 0, position: '', complete: false });
    const ack = await send(0, batch({ loss: [point(0, 2), point(1, null), point(2, 0.5)], rate: [point(2, 1e-3)] }));
    expect(ack).toMatchObject({ next: 1, position: 'somewhere' });
    const [loss, rate] = await series();
    expect(loss).toMatchObject({ name: 'loss', counted: 2, gaps: 1, low: 0.5, high: 2, width: 1 });
    expect(loss?.last).toEqual({ step: 2, value: 0.5, at: new Date(at) });
    expect(rate).toMatchObject({ name: 'rate', counted: 1 });
    expect((await points('loss')).buckets.map(({ step, mean }) => [step, mean])).toEqual([
      [0, 2],
      [1, null],
      [2, 0.5],
    ]);
  });

  it('come once, however often a batch is sent and on whichever socket', async () => {
    await send(0, batch({ loss: [point(0, 1)] }, { position: 'a' }));
    await send(0, batch({ loss: [point(0, 5), point(1, 5)] }, { position: 'b' }));
    agent.socket.terminate();
    agent = await connect();
    expect(await send(0, batch({ loss: [point(0, 7)] }))).toMatchObject({ next: 1, position: 'a' });
    expect(await send(2, batch({ loss: [point(0, 7)] }))).toMatchObject({ next: 1, position: 'a' });
    expect(await send(1, batch({ loss: [point(1, 3)] }, { complete: true }))).toMatchObject({
      next: 2,
      complete: true,
    });
    await send(2, batch({ loss: [point(2, 9)] }));
    expect((await points('loss')).buckets.map(({ step, mean }) => [step, mean])).toEqual([
      [0, 1],
      [1, 3],
    ]);
  });

  it('of one step are joined, with the lowest, the highest and the mean of all', async () => {
    await send(0, batch({ loss: [[0, at, 3, 1, 1, 5, 2]] }));
    await send(1, batch({ loss: [point(0, 10), [1, at, 0, 2, null, null, null]] }));
    const { buckets } = await points('loss');
    expect(buckets[0]).toMatchObject({ step: 0, count: 4, gaps: 1, low: 1, high: 10, mean: 4 });
    expect(buckets[1]).toMatchObject({ step: 1, count: 0, gaps: 2, mean: null });
  });

  it('are refused from a rank that is elsewhere, under another token, or unknown', async () => {
    const content = batch({ loss: [point(0, 1)] });
    expect(await send(0, content, { token: String(placed.token + 1n) })).toMatchObject({ refused: true });
    expect(await send(0, content, { attemptId: 'attempt_unknown' })).toMatchObject({ refused: true });
    const stranger = await fleet.makeNode();
    const other = await RawAgent.connected(gateway.url, stranger.token, {
      protocol: 2,
      inventory: { ...hello().inventory, name: stranger.nodeId },
    });
    expect(await send(0, content, {}, other)).toMatchObject({ refused: true });
    expect(await series()).toEqual([]);
  });

  it('cannot be seen by another tenant', async () => {
    await send(0, batch({ loss: [point(0, 1)] }));
    const read = (tenant: string) =>
      withTenant(fleet.db, tenant, async (tx) => [
        await listMetricSeries(tx, [placed.attemptId]),
        await readMetricProgress(tx, [placed.attemptId]),
        (await tx.query('select from metapod_metric_points')).rows,
        (await tx.query('select from metapod_metric_attempts')).rows,
      ]);
    expect(await read('tenant_other')).toEqual([[], [], [], []]);
    expect((await read(fleet.tenant)).map((rows) => rows.length > 0)).toEqual([true, true, true, true]);
  });
});

describe('whatever a job writes', () => {
  const stored = async () =>
    Number(
      (
        await fleet.db.system.query<{ n: string }>(
          `select count(*)::text as n from metapod_metric_points p join metapod_metric_series s on s.id = p.series_id
         where s.attempt_id = $1`,
          [placed.attemptId],
        )
      ).rows[0]!.n,
    );

  it('a series keeps at most its points, all of its length and all of its extremes', async () => {
    const steps = 20_000;
    for (let first = 0, seq = 0; first < steps; first += 4000, seq += 1) {
      const values = Array.from({ length: 4000 }, (_, index) =>
        point(first + index, first + index === 7_777 ? 1e9 : 1),
      );
      await send(seq, batch({ loss: values }));
      expect(await stored()).toBeLessThanOrEqual(metricLimits.pointsPerSeries);
    }
    expect(await stored()).toBeGreaterThanOrEqual(metricLimits.pointsPerSeries / 2);
    const [loss] = await series();
    expect(loss).toMatchObject({ counted: steps, low: 1, high: 1e9 });
    // Its last value, not the mean of the steps that share the last point.
    expect(loss?.last).toMatchObject({ step: steps - 1, value: 1 });
    await send(5, batch({ loss: [point(steps, 3), point(steps + 1, 5)] }));
    expect((await series())[0]!.last).toMatchObject({ step: steps + 1, value: 5 });
    const { buckets } = await points('loss');
    expect(buckets.reduce((sum, { count }) => sum + count, 0)).toBe(steps + 2);
    expect(buckets.find(({ high }) => high === 1e9)?.step).toBe(Math.floor(7_777 / loss!.width) * loss!.width);
    expect(await points('loss', 100)).toMatchObject({ buckets: { length: expect.any(Number) } });
    expect((await points('loss', 100)).buckets.length).toBeLessThanOrEqual(100);
  });

  it('steps that are far apart keep their places', async () => {
    const far = Array.from({ length: 3000 }, (_, index) => point(index * 2 ** 40, index));
    await send(0, batch({ loss: far }));
    await send(1, batch({ loss: far.map(([step]) => point(step + 1, 0)) }));
    const { buckets } = await points('loss');
    expect(buckets.reduce((sum, { count }) => sum + count, 0)).toBe(6000);
    expect(buckets.length).toBeLessThanOrEqual(metricLimits.pointsPerSeries);
    expect(buckets.at(-1)!.step).toBe(2999 * 2 ** 40);
  });

  it('points that cover several steps widen their series, and what falls into them later joins them', async () => {
    await send(0, batch({ loss: [point(0, 4), point(9, 1)] }));
    const wide = batch({}, { series: [{ name: 'loss', width: 8, points: [[16, at, 8, 0, 1, 8, 2]] }] });
    await send(1, wide);
    await send(2, batch({ loss: [point(1, 2), point(17, 2)] }));
    const { width, buckets } = await points('loss');
    expect(width).toBe(8);
    expect(buckets.map(({ step, count }) => [step, count])).toEqual([
      [0, 2],
      [9, 1],
      [16, 9],
    ]);
  });

  it('a rank has at most its series, and what has no room is counted', async () => {
    const many = (from: number) =>
      Object.fromEntries(Array.from({ length: 64 }, (_, index) => [`series ${from + index}`, [point(0, 1)]]));
    await send(0, batch(many(0)));
    await send(1, batch(many(32)));
    expect(await series()).toHaveLength(metricLimits.seriesPerRank);
    const [progress] = await withSystem(fleet.db, (tx) => readMetricProgress(tx, [placed.attemptId]));
    expect(progress?.ignored).toBe(32);
  });

  it('a job keeps the metrics of its newest attempts, and they go with the job', async () => {
    const attempts = [placed];
    await send(0, batch({ loss: [point(0, 1)] }));
    for (let number = 2; number <= metricLimits.attemptsPerJob + 2; number += 1) {
      placed = await fleet.place(node.nodeId, placed.jobId);
      attempts.push(placed);
      await send(0, batch({ loss: [point(0, number)] }));
    }
    const kept = async () => {
      const ids = attempts.map(({ attemptId }) => attemptId);
      const found = await withSystem(fleet.db, (tx) => listMetricSeries(tx, ids));
      return ids.flatMap((id, index) => (found.some(({ attemptId }) => attemptId === id) ? [index + 1] : []));
    };
    expect(await kept()).toEqual(Array.from({ length: metricLimits.attemptsPerJob }, (_, index) => index + 3));
    await withSystem(fleet.db, async (tx) => {
      await tx.query('delete from cmo_attempt_ranks where attempt_id = $1', [placed.attemptId]);
      await tx.query('delete from cmo_attempts where id = $1', [placed.attemptId]);
    });
    expect(await kept()).toHaveLength(metricLimits.attemptsPerJob - 1);
    expect(await stored()).toBe(0);
  });

  it('the ranks of an attempt together have at most its series', async () => {
    await withSystem(fleet.db, (tx) =>
      tx.query(
        `insert into cmo_attempt_ranks (attempt_id, tenant, rank, node_id)
         select $1, $2, rank, $3 from generate_series(1, 4) as rank`,
        [placed.attemptId, fleet.tenant, node.nodeId],
      ),
    );
    const many = Object.fromEntries(Array.from({ length: 60 }, (_, index) => [`s${index}`, [point(0, 1)]]));
    for (let rank = 0; rank < 5; rank += 1) await send(0, batch(many), { rank });
    const perRank = Map.groupBy(await series(), ({ rank }) => rank);
    expect([...perRank.values()].map((of) => of.length)).toEqual([60, 60, 60, 60, 16]);
  });

  it('frames that are not of the form end the socket: names that hide something, too many points, endless numbers', async () => {
    const bad: MetricsBatch[] = [
      batch({ 'a\u202eb': [point(0, 1)] }),
      batch({ '': [point(0, 1)] }),
      batch({ ['x'.repeat(129)]: [point(0, 1)] }),
      batch({ loss: Array.from({ length: 4097 }, (_, index) => point(index, 1)) }),
      batch({ loss: [[0, at, 1, 0, 1e300, 1e300, 1e300]] }),
      batch({ loss: [[-1, at, 1, 0, 1, 1, 1]] }),
      batch({}, { position: 'x'.repeat(20_000) }),
    ];
    for (const content of bad) {
      const liar = await connect();
      const { attemptId, token } = placed;
      liar.send({ type: 'metrics', attemptId, rank: 0, token: String(token), seq: 0, batch: content });
      expect(await liar.closed()).toBe(4400);
    }
    expect(await series()).toEqual([]);
  });

  it('a liar’s counts and widths overflow nothing', async () => {
    const huge: WirePoint[] = [[2 ** 53 - 1, 8.64e15, 1e9, 1e9, -1e290, 1e290, 1e290]];
    for (let seq = 0; seq < 5; seq += 1) {
      const content = batch({ loss: huge });
      await send(seq, { ...content, series: [{ name: 'loss', width: 2 ** (seq * 13), points: huge }] });
    }
    expect((await points('loss')).buckets).toMatchObject([{ count: 5e9, gaps: 5e9, mean: 1e290 }]);
  });
});

it('an agent of the version before is welcome and is told nothing new', async () => {
  const other = await fleet.makeNode();
  const old = await RawAgent.connected(gateway.url, other.token, {
    protocol: 1,
    inventory: { ...hello().inventory, name: other.nodeId },
  });
  old.send({ type: 'heartbeat', seq: 1 });
  await old.next('heartbeatAck');
  expect(old.received.map(({ type }) => type).filter((type) => type.startsWith('metrics'))).toEqual([]);
});
