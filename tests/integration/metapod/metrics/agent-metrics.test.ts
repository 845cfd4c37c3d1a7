import { once } from 'node:events';
import { existsSync } from 'node:fs';
import { afterAll, beforeAll, describe, expect, it } from 'vitest';
import { withSystem } from '../../../../src/common/database/index.ts';
import { listMetricSeries, readMetricPoints, readMetricProgress } from '../../../../src/metapod/gateway/index.ts';
import { event, record } from '../../../support/event-file.ts';
import { Fleet, kill, type PlacedRank, until } from '../support/fleet.ts';

let fleet: Fleet;

const series = ({ attemptId }: PlacedRank) => withSystem(fleet.db, (tx) => listMetricSeries(tx, [attemptId]));
const progress = async ({ attemptId }: PlacedRank) =>
  (await withSystem(fleet.db, (tx) => readMetricProgress(tx, [attemptId])))[0];
const whole = (job: PlacedRank) => until('all metrics', async () => (await progress(job))?.complete === true);

/** Steps of a series with how many values came. */
async function counts(job: PlacedRank, name: string): Promise<Record<number, number>> {
  const found = (await series(job)).find((one) => one.name === name);
  if (found === undefined) return {};
  const { buckets } = await withSystem(fleet.db, (tx) => readMetricPoints(tx, found, 4096));
  return Object.fromEntries(buckets.map(({ step, count, gaps }) => [step, count + gaps]));
}
const eachOnce = (steps: number) => Object.fromEntries(Array.from({ length: steps }, (_, step) => [step, 1]));

describe('metrics of a job', () => {
  let nodeId: string;
  beforeAll(async () => {
    fleet = await Fleet.create();
    const { url } = await fleet.startGateway();
    fleet.spawnAgent({ serverUrl: url, joinToken: await fleet.joinToken(), args: ['--host-network'] });
    nodeId = await fleet.readyNode();
  });
  afterAll(() => fleet.close());

  it.each(['process', 'sandbox'] as const)(
    'arrive from isolation %s: from its file, and from TensorBoard',
    async (isolation) => {
      const bytes = record(event({ step: 3, simple: { accuracy: 0.75 } })).toString('base64');
      const script = [
        'echo \'{"step": 1, "loss": 2}\' >> "$SOLYX_METRICS"',
        'echo \'{"step": 2, "loss": NaN}\' >> "$SOLYX_METRICS"',
        'mkdir -p "$SOLYX_TENSORBOARD" runs',
        `echo ${bytes} | base64 -d > "$SOLYX_TENSORBOARD/events.out.tfevents.1"`,
        `echo ${bytes} | base64 -d > runs/events.out.tfevents.1`,
      ].join('\n');
      const network = isolation === 'sandbox' ? ('none' as const) : ('host' as const);
      const job = await fleet.run(nodeId, script, { isolation, network });
      expect((await fleet.ended(job)).end).toMatchObject({ exitCode: 0 });
      await whole(job);
      expect(await counts(job, 'loss')).toEqual({ 1: 1, 2: 1 });
      expect(await counts(job, 'accuracy')).toEqual({ 3: 2 });
      const loss = (await series(job)).find(({ name }) => name === 'loss');
      expect(loss).toMatchObject({ low: 2, high: 2, gaps: 1, last: { step: 1, value: 2 } });
    },
  );

  it('arrive while it runs, printed as well as written', async () => {
    const job = await fleet.run(nodeId, 'echo \'{"step": 7, "loss": 0.5}\'; sleep 60');
    await until('a value', async () => (await counts(job, 'loss'))[7] === 1);
    expect((await progress(job))?.complete).toBe(false);
    await fleet.command(nodeId, job, 'stop', { why: 'cancel', graceSeconds: 0 });
    await whole(job);
  });

  it('are there before the attempt is forgotten, and none keep nothing waiting', async () => {
    const silent = await fleet.run(nodeId, 'true');
    const telling = await fleet.run(nodeId, 'echo \'{"step": 0, "loss": 1}\' > "$SOLYX_METRICS"');
    for (const job of [silent, telling]) {
      await fleet.ended(job);
      await fleet.command(nodeId, job, 'forget');
      await until('it is forgotten', async () => !existsSync(`${fleet.agentFolder()}/attempts/${job.attemptId}.0`));
    }
    expect(await progress(silent)).toBeUndefined();
    expect(await counts(telling, 'loss')).toEqual({ 0: 1 });
  });
});

describe('metrics survive', () => {
  const steps = 60;
  const script = [
    `i=0; while [ $i -lt ${steps} ]; do`,
    'echo "{\\"step\\": $i, \\"loss\\": $i}" >> "$SOLYX_METRICS"; i=$((i+1)); sleep 0.05; done',
  ].join('\n');

  beforeAll(async () => {
    fleet = await Fleet.create();
  });
  afterAll(() => fleet.close());

  it('a gateway that is killed before and after it stored a batch, and an agent that is killed while they come', async () => {
    let gateway = await fleet.spawnGateway();
    const { port } = gateway;
    const options = { serverUrl: `http://127.0.0.1:${port}`, args: ['--host-network'] };
    let agent = fleet.spawnAgent({ ...options, joinToken: await fleet.joinToken() });
    const nodeId = await fleet.readyNode();
    const job = await fleet.run(nodeId, script);
    await until('the first values', async () => Object.keys(await counts(job, 'loss')).length > 0);
    for (const failpoints of ['gateway.before-metrics', 'gateway.after-metrics']) {
      await kill(gateway.process);
      gateway = await fleet.spawnGateway({ port, failpoints });
      await once(gateway.process, 'exit');
      await kill(agent);
      gateway = await fleet.spawnGateway({ port });
      agent = fleet.spawnAgent(options);
    }
    await fleet.ended(job);
    await whole(job);
    expect(await counts(job, 'loss')).toEqual(eachOnce(steps));
    expect((await series(job))[0]).toMatchObject({ counted: steps, last: { step: steps - 1, value: steps - 1 } });
  });
});
