import { afterAll, afterEach, beforeAll, beforeEach, describe, expect, it } from 'vitest';
import type { ClusterOrchestrator } from '../../../../src/cmo/orchestrator/index.ts';
import { makeWorld, nothingLeft, type World } from './support/world.ts';

let world: World;
let orchestrator: ClusterOrchestrator;

beforeAll(async () => {
  world = await makeWorld();
});
afterAll(() => world?.close());
beforeEach(() => {
  orchestrator = world.orchestrator();
});
afterEach(async () => {
  for (const node of world.nodes) world.simulator.restore(node);
  await world.presence();
});

const pass = async (seconds: number) => {
  world.clock.advance(seconds * 1000);
  await orchestrator.round();
};
/** Both the machines and the rows grow older. */
const wait = async (seconds: number) => {
  world.clock.advance(seconds * 1000);
  await world.age(seconds);
  await world.makeDue();
  await orchestrator.round();
};

async function runningJob(spec: Parameters<World['submit']>[0] = {}, on = world.nodes.slice(0, 1)) {
  const job = await world.submit(spec, { runSeconds: null });
  const attempt = await world.place(job, on);
  await orchestrator.round();
  await world.age(7200);
  await world.presence();
  await pass(2);
  expect(await world.attempts(job)).toEqual(['running']);
  return { job, attempt };
}

async function lose(node = world.nodes[0]!) {
  world.simulator.loseContact(node);
  await world.presence();
  await orchestrator.round();
}

async function finish(job: string) {
  await world.cancel(job);
  await orchestrator.round();
  await pass(2);
  expect(await world.residue()).toEqual(nothingLeft);
}

describe('an attempt whose node is lost', () => {
  it('is unknown until the node is back, and then goes on as if nothing had been', async () => {
    const { job } = await runningJob();
    await lose();
    expect(await world.attempts(job)).toEqual(['unknown']);
    expect(await world.job(job)).toMatchObject({ state: 'running', contact_lost_since: expect.any(Date) });
    await wait(300);
    expect(await world.attempts(job)).toEqual(['unknown']);
    world.simulator.restore(world.nodes[0]!);
    await world.presence();
    await orchestrator.round();
    expect(await world.attempts(job)).toEqual(['running']);
    expect(await world.job(job)).toMatchObject({ state: 'running', contact_lost_since: null });
    expect(world.simulator.processes()).toHaveLength(1);
    await finish(job);
  });

  it('is not replaced one second before stopAfter + 30 s, and is afterwards, billed up to the last heartbeat', async () => {
    const { job } = await runningJob({ onDisconnect: { stopAfter: 60 } });
    await lose();
    await wait(88);
    expect(await world.attempts(job)).toEqual(['unknown']);
    expect(world.simulator.processes()).toEqual([]);
    await wait(3);
    expect(await world.attempts(job)).toEqual(['ended node-lost']);
    expect(await world.job(job)).toMatchObject({ state: 'queued', retries_used: { 'node-lost': 1 } });
    expect(await world.intervals(job)).toMatchObject([{ closed: true, energy: null }]);
    // It may have run for 60 s more; what nobody reported is not billed.
    expect(await world.usageEndedAgo(job)).toBeGreaterThan(90);
    await world.place(job, [world.nodes[1]!]);
    await orchestrator.round();
    await pass(2);
    expect(await world.attempts(job)).toEqual(['ended node-lost', 'running']);
    world.simulator.restore(world.nodes[0]!);
    await world.presence();
    await pass(1);
    // The late report of the first attempt changes nothing.
    expect(await world.attempts(job)).toEqual(['ended node-lost', 'running']);
    expect(world.simulator.processes()).toMatchObject([{ nodeId: world.nodes[1] }]);
    await finish(job);
  });

  it('counts from its start when that came after the last heartbeat', async () => {
    const job = await world.submit({ onDisconnect: { stopAfter: 60 } });
    await world.place(job);
    await world.age(200);
    await orchestrator.round();
    world.simulator.loseContact(world.nodes[0]!);
    await world.setPresence(world.nodes[0]!, 'lost');
    await world.makeDue();
    await orchestrator.round();
    expect(await world.attempts(job)).toEqual(['unknown']);
    await wait(91);
    expect(await world.attempts(job)).toEqual(['ended node-lost']);
    await finish(job);
  });

  it('waits however long when the job says keep, and ends when the node is declared powered off', async () => {
    const { job } = await runningJob({ onDisconnect: 'keep' });
    await lose();
    await wait(1_000_000);
    expect(await world.attempts(job)).toEqual(['unknown']);
    await world.setPresence(world.nodes[0]!, 'removed');
    await orchestrator.round();
    expect(await world.attempts(job)).toEqual(['ended node-lost']);
    await world.setPresence(world.nodes[0]!, 'lost');
    await finish(job);
  });

  it('ends at once when nothing of it had been started', async () => {
    const job = await world.submit({ resources: { nodes: 2 } });
    await world.place(job, world.nodes.slice(0, 2));
    await world.setPresence(world.nodes[1]!, 'lost');
    await orchestrator.round();
    expect(await world.attempts(job)).toEqual(['ended node-lost']);
    expect(world.simulator.processes()).toEqual([]);
    world.simulator.loseContact(world.nodes[1]!);
    await finish(job);
  });

  it('is not declared lost when the node comes back in the same moment', async () => {
    const { job } = await runningJob({ onDisconnect: { stopAfter: 60 } });
    await lose();
    world.clock.advance(10_000);
    await world.age(100);
    await world.makeDue();
    // Between the look at the nodes and their locks a heartbeat is recorded.
    const returning = world.backendWith({
      withdraw: async () => {
        await world.setPresence(world.nodes[0]!, 'ready');
      },
    });
    await world.orchestrator({ backends: [returning] }).round();
    expect(await world.attempts(job)).toEqual(['unknown']);
    world.simulator.restore(world.nodes[0]!);
    await world.presence();
    await orchestrator.round();
    expect(await world.attempts(job)).toEqual(['running']);
    await finish(job);
  });

  it('of a gang takes the rest of the gang with it', async () => {
    const { job } = await runningJob(
      { resources: { nodes: 2 }, onDisconnect: { stopAfter: 60 } },
      world.nodes.slice(0, 2),
    );
    world.simulator.powerOff(world.nodes[1]!);
    await world.presence();
    await orchestrator.round();
    await world.setPresence(world.nodes[1]!, 'removed');
    await orchestrator.round();
    expect(await world.attempts(job)).toEqual(['stopping']);
    await pass(2);
    expect(await world.attempts(job)).toEqual(['ended node-lost']);
    await world.setPresence(world.nodes[1]!, 'lost');
    await finish(job);
  });
});

describe('a restart of the process that simulates', () => {
  it('loses what ran there, and the job is tried again', async () => {
    const { job } = await runningJob();
    const { Simulator, adoptSimulated } = await import('../../../../src/cmo/orchestrator/index.ts');
    const another = new Simulator({ clock: world.clock });
    await adoptSimulated(world.db, another);
    await world.orchestrator({ backends: [another] }).round();
    expect(await world.attempts(job)).toEqual(['ended node-lost']);
    await finish(job);
  });
});
