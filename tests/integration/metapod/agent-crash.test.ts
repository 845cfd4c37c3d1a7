import { existsSync, readdirSync, rmSync, writeFileSync } from 'node:fs';
import { join } from 'node:path';
import { afterEach, beforeEach, describe, expect, it } from 'vitest';
import type { FailpointName } from '../../../src/common/failpoints.ts';
import { endEverything } from '../../../src/metapod/agent/index.ts';
import { inspectSupervisor, readStatus } from '../../../src/metapod/agent/supervisor/index.ts';
import { readLogLines } from '../../../src/metapod/gateway/index.ts';
import { exited, Fleet, kill, type PlacedRank, startOf, until } from './support/fleet.ts';

let fleet: Fleet;
beforeEach(async () => {
  fleet = await Fleet.create();
});
afterEach(() => fleet.close());

const wholeLog = async (placed: PlacedRank) => {
  const page = await until('the whole log', async () => {
    const read = await readLogLines(fleet.db.system, placed.attemptId, 0, 0, 10_000);
    return read.complete && read;
  });
  expect(page.lines.map((line) => line.n)).toEqual(page.lines.map((_, index) => index));
  return page.lines.map((line) => line.d);
};

/** Says how often it began: once, whatever dies around it. */
const script =
  'echo began; for i in 1 2 3 4 5; do echo line $i; sleep 0.1; done; echo x > $SOLYX_CHECKPOINT_DIR/c; exit 7';
const expected = ['began', 'line 1', 'line 2', 'line 3', 'line 4', 'line 5'];

async function expectOneRun(job: PlacedRank): Promise<void> {
  const end = await fleet.ended(job);
  expect(end.end).toMatchObject({ reason: 'exited', exitCode: 7 });
  expect(await wholeLog(job)).toEqual(expected);
  expect((await fleet.reports(job)).map((report) => report.state)).toEqual(['starting', 'running', 'ended']);
  const { rows } = await fleet.db.system.query('select 1 from cmo_jobs where id = $1 and checkpoint_token = $2', [
    job.jobId,
    job.token,
  ]);
  expect(rows).toHaveLength(1);
}

const agentPoints: FailpointName[] = [
  'agent.before-intent',
  'agent.after-intent',
  'agent.before-supervisor',
  'agent.after-supervisor',
  'agent.after-journal',
  'agent.before-journal-ack',
  'agent.before-final-checkpoint',
  'agent.before-ended-report',
  'agent.after-ended-report',
];
const gatewayPoints: FailpointName[] = [
  'gateway.before-session',
  'gateway.before-command',
  'gateway.before-reports',
  'gateway.after-reports',
  'gateway.before-logs',
  'gateway.after-logs',
  'gateway.after-blob',
  'gateway.before-manifest-commit',
  'gateway.after-manifest-commit',
];

describe('an agent that is killed', () => {
  it.each(agentPoints)('at %s goes on where it was: one run, one end, each line once', async (point) => {
    const { url } = await fleet.startGateway();
    const options = { serverUrl: url, joinToken: await fleet.joinToken(), args: ['--host-network'] };
    const doomed = fleet.spawnAgent({ ...options, failpoints: point });
    const nodeId = await fleet.readyNode();
    const job = await fleet.run(nodeId, script, { checkpointPath: '/c' });
    expect((await exited(doomed)).signal).toBe('SIGKILL');
    fleet.spawnAgent(options);
    await expectOneRun(job);
  });

  it.each<FailpointName>(['agent.after-spare', 'agent.before-spare-task'])(
    'with a spare supervisor at %s goes on where it was',
    async (point) => {
      const { url } = await fleet.startGateway();
      const options = { serverUrl: url, joinToken: await fleet.joinToken(), args: ['--host-network'] };
      const doomed = fleet.spawnAgent({ ...options, failpoints: point });
      const nodeId = await fleet.readyNode();
      const spares = join(fleet.agentFolder(), 'spare');
      await until(
        'a spare',
        async () =>
          existsSync(spares) &&
          readdirSync(spares).some((name) => name.endsWith('.ready') || point === 'agent.after-spare'),
      );
      const job = await fleet.run(nodeId, script, { checkpointPath: '/c' });
      expect((await exited(doomed)).signal).toBe('SIGKILL');
      fleet.spawnAgent(options);
      await expectOneRun(job);
    },
  );

  it('says since when a job ran whose supervisor died meanwhile, not since when that was found out', async () => {
    const { url } = await fleet.startGateway();
    const options = { serverUrl: url, joinToken: await fleet.joinToken(), args: ['--host-network'] };
    const doomed = fleet.spawnAgent({ ...options, failpoints: 'agent.after-supervisor' });
    const nodeId = await fleet.readyNode();
    const job = await fleet.run(nodeId, 'sleep 60');
    await exited(doomed);
    const folder = join(fleet.agentFolder(), 'attempts', `${job.attemptId}.0`);
    const running = await until('the job runs', async () => {
      const status = readStatus(folder);
      return status.kind === 'ok' && status.value.state === 'running' && status.value;
    });
    process.kill(running.supervisorPid, 'SIGKILL');
    await until('its supervisor is dead', async () => inspectSupervisor(folder).state === 'dead');
    fleet.spawnAgent(options);
    expect((await fleet.ended(job)).end).toMatchObject({ reason: 'supervisor-lost' });
    const reports = await fleet.reports(job);
    expect(reports.map(({ state }) => state)).toEqual(['starting', 'running', 'ended']);
    expect(reports[1]!.at).toBe(running.startedAt);
  });

  it('while it deletes a forgotten attempt deletes it the next time', async () => {
    const { url } = await fleet.startGateway();
    const options = { serverUrl: url, joinToken: await fleet.joinToken(), args: ['--host-network'] };
    const doomed = fleet.spawnAgent({ ...options, failpoints: 'agent.before-forget' });
    const nodeId = await fleet.readyNode();
    const job = await fleet.run(nodeId, 'true');
    await fleet.ended(job);
    await fleet.command(nodeId, job, 'forget');
    await exited(doomed);
    const again = fleet.spawnAgent(options);
    await until('its deletion', async () => !existsSync(join(fleet.agentFolder(), 'attempts', `${job.attemptId}.0`)));
    await kill(again);
  });
});

describe('a gateway that is killed', () => {
  it.each(gatewayPoints)('at %s loses and doubles nothing', async (point) => {
    const doomed = await fleet.spawnGateway({ failpoints: point });
    const serverFile = join(fleet.home, 'server.json');
    writeFileSync(serverFile, JSON.stringify({ url: `http://127.0.0.1:${doomed.port}` }));
    // It is killed before the node is there, when that is what is tested.
    fleet.spawnAgent({ serverFile, joinToken: await fleet.joinToken(), args: ['--host-network'] });
    const nodeId = await until('a node', async () => {
      const { rows } = await fleet.db.system.query<{ id: string }>('select id from drm_nodes');
      return rows[0]?.id;
    });
    const job = await fleet.run(nodeId, script, { checkpointPath: '/c' });
    expect((await exited(doomed.process)).signal).toBe('SIGKILL');
    const next = await fleet.spawnGateway();
    writeFileSync(serverFile, JSON.stringify({ url: `http://127.0.0.1:${next.port}` }));
    await expectOneRun(job);
  });
});

describe('while the control plane is away', () => {
  it('a job runs on, ends, and everything arrives in order when it is back on another port', async () => {
    const first = await fleet.spawnGateway();
    const serverFile = join(fleet.home, 'server.json');
    writeFileSync(serverFile, JSON.stringify({ url: `http://127.0.0.1:${first.port}` }));
    fleet.spawnAgent({ serverFile, joinToken: await fleet.joinToken(), args: ['--host-network'] });
    const nodeId = await fleet.readyNode();
    const done = join(fleet.home, 'done');
    const job = await fleet.run(nodeId, `${script.replace('; exit 7', '')}; echo > ${done}; exit 7`, {
      checkpointPath: '/c',
    });
    await until('it runs', async () => (await fleet.reports(job)).some((report) => report.state === 'running'));
    await kill(first.process);
    rmSync(serverFile);
    await until('its end', async () => existsSync(done));
    const next = await fleet.spawnGateway();
    writeFileSync(serverFile, JSON.stringify({ url: `http://127.0.0.1:${next.port}` }));
    await expectOneRun(job);
  });
});

describe('ending an agent', () => {
  it('by SIGTERM leaves jobs running, and the next agent takes them up', async () => {
    const { url } = await fleet.startGateway();
    const options = { serverUrl: url, joinToken: await fleet.joinToken(), args: ['--host-network'] };
    const first = fleet.spawnAgent(options);
    const nodeId = await fleet.readyNode();
    const go = join(fleet.home, 'go');
    const job = await fleet.run(nodeId, `echo began; while [ ! -e ${go} ]; do sleep 0.05; done; exit 5`);
    await until('it runs', async () => (await fleet.reports(job)).some((report) => report.state === 'running'));
    first.kill('SIGTERM');
    expect((await exited(first)).code).toBe(0);
    writeFileSync(go, '');
    fleet.spawnAgent(options);
    expect((await fleet.ended(job)).end).toMatchObject({ reason: 'exited', exitCode: 5 });
    expect(await wholeLog(job)).toEqual(['began']);
  });

  it('and everything stops its jobs, whether an agent runs or not, and their end is still reported', async () => {
    const { url } = await fleet.startGateway();
    const options = { serverUrl: url, joinToken: await fleet.joinToken(), args: ['--host-network'] };
    const first = fleet.spawnAgent(options);
    const nodeId = await fleet.readyNode();
    const running = (job: PlacedRank) =>
      until('it runs', async () => (await fleet.reports(job)).some((report) => report.state === 'running'));
    const one = await fleet.run(nodeId, 'sleep 100');
    await running(one);
    await endEverything(fleet.agentFolder());
    expect((await exited(first)).code).toBe(0);
    expect((await fleet.ended(one)).end?.reason).toBe('stopped');

    const second = fleet.spawnAgent(options);
    const two = await fleet.run(nodeId, 'sleep 100');
    await running(two);
    await kill(second);
    await endEverything(fleet.agentFolder());
    fleet.spawnAgent(options);
    expect((await fleet.ended(two)).end?.reason).toBe('stopped');
  });

  it('a second agent on the same folder is refused', async () => {
    const { url } = await fleet.startGateway();
    const options = { serverUrl: url, joinToken: await fleet.joinToken(), args: ['--host-network'] };
    fleet.spawnAgent(options);
    await fleet.readyNode();
    const second = fleet.spawnAgent(options);
    expect((await exited(second)).code).toBe(1);
    expect(fleet.output).toContain('home_in_use');
  });

  it('a revoked agent leaves once nothing runs', async () => {
    const { url } = await fleet.startGateway();
    const agent = fleet.spawnAgent({ serverUrl: url, joinToken: await fleet.joinToken(), args: ['--host-network'] });
    const nodeId = await fleet.readyNode();
    await fleet.db.system.query(`update cmo_api_keys set revoked_at = now() where node_id = $1`, [nodeId]);
    expect((await exited(agent)).code).toBe(3);
  });
});

describe('commands', () => {
  it('of an older attempt are refused after a newer one was seen', async () => {
    const { url } = await fleet.startGateway();
    fleet.spawnAgent({ serverUrl: url, joinToken: await fleet.joinToken(), args: ['--host-network'] });
    const nodeId = await fleet.readyNode();
    const old = await fleet.place(nodeId);
    const newer = await fleet.run(nodeId, 'exit 1', {}, old.jobId);
    await fleet.ended(newer);
    await fleet.command(nodeId, old, 'start', startOf(old.jobId, 'exit 2'));
    await until('the refusal', async () => {
      const { rows } = await fleet.db.system.query(
        `select 1 from metapod_commands where attempt_id = $1 and acked_at is not null`,
        [old.attemptId],
      );
      return rows.length === 1;
    });
    expect(await fleet.reports(old)).toEqual([]);
  });

  it('to stop what never started end it as never started, and a start that comes after changes nothing', async () => {
    const { url } = await fleet.startGateway();
    fleet.spawnAgent({ serverUrl: url, joinToken: await fleet.joinToken(), args: ['--host-network'] });
    const nodeId = await fleet.readyNode();
    const job = await fleet.place(nodeId);
    await fleet.command(nodeId, job, 'stop', { why: 'cancel', graceSeconds: 1 });
    expect((await fleet.ended(job)).end?.reason).toBe('never-started');
    await fleet.command(nodeId, job, 'start', startOf(job.jobId, 'exit 0'));
    await until('the acknowledgement', async () => {
      const { rows } = await fleet.db.system.query('select 1 from metapod_commands where acked_at is null');
      return rows.length === 0;
    });
    expect((await fleet.reports(job)).filter((report) => report.state === 'ended')).toHaveLength(1);
  });

  it('to forget what never started leave the agent alive, that decided so itself', async () => {
    const { url } = await fleet.startGateway();
    const options = { serverUrl: url, joinToken: await fleet.joinToken(), args: ['--host-network'] };
    const agent = fleet.spawnAgent(options);
    const nodeId = await fleet.readyNode();
    const refused = await fleet.run(nodeId, 'true', { secrets: [{ name: 'gone', env: 'GONE', file: null }] });
    expect((await fleet.ended(refused)).end?.reason).toBe('start-failed');
    const stopped = await fleet.place(nodeId);
    await fleet.command(nodeId, stopped, 'stop', { why: 'cancel', graceSeconds: 1 });
    expect((await fleet.ended(stopped)).end?.reason).toBe('never-started');
    for (const job of [refused, stopped]) {
      await fleet.command(nodeId, job, 'forget');
      const folder = join(fleet.agentFolder(), 'attempts', `${job.attemptId}.0`);
      await until('its deletion', async () => !existsSync(folder));
    }
    expect([agent.exitCode, agent.signalCode]).toEqual([null, null]);
    expect((await fleet.ended(await fleet.run(nodeId, 'exit 3'))).end?.exitCode).toBe(3);
  });
});
