import { describe, expect, it } from 'vitest';
import type { AttemptToRun } from '../../../../src/cmo/orchestrator/backends/backend.ts';
import { endNamed, type Script, Simulator, scaledClock } from '../../../../src/cmo/orchestrator/index.ts';
import { ManualClock, systemClock } from '../../../../src/common/clock.ts';
import { type JobSpecInput, jobSpecSchema } from '../../../../src/common/contract/job-spec.ts';
import { until } from '../../../support/until.ts';

let token = 0n;
function attempt(spec: Partial<JobSpecInput> = {}): AttemptToRun {
  token += 1n;
  return {
    attemptId: `att-${token}`,
    jobId: `job-${token}`,
    tenant: 'ten',
    number: 1,
    token,
    spec: jobSpecSchema.parse({ name: 'job', command: 'true', ...spec }),
    arrayIndex: null,
    ranks: [{ rank: 0, nodeId: 'node' as never, cpuMilli: 2000, memoryBytes: 1, diskBytes: 0, devices: [] }],
    checkpointHash: null,
  };
}
const forever: Script = { startSeconds: 1, runSeconds: null, end: endNamed('success'), stopSeconds: 1, faults: {} };

function machine(script: Partial<Script> = {}) {
  const clock = new ManualClock();
  const simulator = new Simulator({ clock, scriptOf: () => ({ ...forever, ...script }) });
  const pass = (seconds: number) => clock.advance(seconds * 1000);
  const state = async ({ attemptId }: AttemptToRun) => (await simulator.observe([attemptId]))[0];
  return { simulator, pass, state };
}

describe('a simulated node', () => {
  it('ends its work by itself when it was without contact for stopAfter, and says so when it is back', async () => {
    const { simulator, pass, state } = machine();
    const work = attempt({ onDisconnect: { stopAfter: 60 } });
    await simulator.submit(work);
    pass(10);
    simulator.loseContact('node');
    pass(59);
    expect(simulator.processes()).toHaveLength(1);
    pass(2);
    expect(simulator.processes()).toEqual([]);
    expect(await state(work)).toMatchObject({ state: 'running' });
    simulator.restore('node');
    expect(await state(work)).toMatchObject({ state: 'ended', end: { reason: 'disconnected' }, ranSeconds: 69 });
  });

  it('keeps work running however long when the job says keep', async () => {
    const { simulator, pass } = machine();
    await simulator.submit(attempt({ onDisconnect: 'keep' }));
    simulator.loseContact('node');
    pass(1e6);
    expect(simulator.processes()).toHaveLength(1);
  });

  it('takes commands that came while it was away when it is back', async () => {
    const { simulator, pass, state } = machine();
    simulator.loseContact('node');
    const work = attempt();
    await simulator.submit(work);
    pass(100);
    expect(await state(work)).toBeUndefined();
    simulator.restore('node');
    pass(2);
    expect(await state(work)).toMatchObject({ state: 'running' });
  });

  it('loses everything with its power', async () => {
    const { simulator, pass, state } = machine();
    const work = attempt();
    await simulator.submit(work);
    pass(5);
    simulator.powerOff('node');
    expect(simulator.processes()).toEqual([]);
    pass(5);
    simulator.restore('node');
    expect(await state(work)).toMatchObject({ state: 'ended', end: { reason: 'supervisor-lost' }, ranSeconds: 4 });
  });

  it('delivers reports late when told to', async () => {
    const { simulator, pass, state } = machine({ runSeconds: 5, faults: { reportDelaySeconds: 30 } });
    const work = attempt();
    await simulator.submit(work);
    pass(7);
    expect(await state(work)).toBeUndefined();
    pass(31);
    expect(await state(work)).toMatchObject({ state: 'ended', ranSeconds: 5 });
  });

  it('accounts for energy by a model, and says so', async () => {
    const { simulator, pass, state } = machine({ runSeconds: 100 });
    const work = attempt();
    await simulator.submit(work);
    pass(200);
    expect((await state(work))?.usage).toMatchObject({ cpuSeconds: 200, energyJoules: 2000, energySource: 'modelled' });
  });
});

describe('a simulation', () => {
  it('is the same for the same seed and another for another', async () => {
    const ran = async (seed: number) => {
      const clock = new ManualClock();
      const simulator = new Simulator({ clock, seed });
      const work = attempt();
      await simulator.submit(work);
      clock.advance(1e6);
      return (await simulator.observe([work.attemptId]))[0]?.ranSeconds;
    };
    expect(await ran(1)).toBe(await ran(1));
    expect(await ran(1)).not.toBe(await ran(2));
  });

  it('does what the environment of a job says', async () => {
    const clock = new ManualClock();
    const simulator = new Simulator({ clock });
    const env = { SIMULATE_START_SECONDS: '2', SIMULATE_RUN_SECONDS: '40', SIMULATE_END: '3' };
    const work = attempt({ env });
    await simulator.submit(work);
    clock.advance(43_000);
    expect(await simulator.observe([work.attemptId])).toMatchObject([{ ranSeconds: 40, end: { exitCode: 3 } }]);
  });

  it('runs by itself on a fast clock and calls when something happened', async () => {
    let calls = 0;
    const speed = 1000;
    const simulator = new Simulator({
      clock: scaledClock(systemClock, speed),
      scriptOf: () => ({ ...forever, startSeconds: 10, runSeconds: 20 }),
      onEvent: { call: () => (calls += 1), speed },
    });
    const work = attempt();
    await simulator.submit(work);
    await until('it has ended and was called for', async () => {
      const news = await simulator.changed(10);
      return calls > 0 && news[0]?.items.length === 3;
    });
    simulator.stop();
  });
});
