import { existsSync } from 'node:fs';
import { afterAll, beforeAll, describe, expect, it } from 'vitest';
import { readLogLines } from '../../../src/metapod/gateway/index.ts';
import { Fleet, until } from './support/fleet.ts';

describe('a job through a real gateway, agent and supervisor', () => {
  let fleet: Fleet;
  let nodeId: string;

  beforeAll(async () => {
    fleet = await Fleet.create();
    const { url } = await fleet.startGateway();
    fleet.spawnAgent({ serverUrl: url, joinToken: await fleet.joinToken(), args: ['--host-network'] });
    nodeId = await fleet.readyNode();
  });
  afterAll(() => fleet.close());

  const log = async (attemptId: string) => {
    const page = await until('the whole log', async () => {
      const read = await readLogLines(fleet.db.system, attemptId, 0, 0, 1000);
      return read.complete && read;
    });
    return page.lines.map((line) => line.d);
  };

  it('runs, and its states, exit code, usage and log arrive', async () => {
    const job = await fleet.run(nodeId, 'echo hello; echo world >&2; exit 3');
    const end = await fleet.ended(job);
    expect((await fleet.reports(job)).map((report) => report.state)).toEqual(['starting', 'running', 'ended']);
    expect(end.end).toMatchObject({ reason: 'exited', exitCode: 3, signal: null });
    expect(end.ranSeconds).toBeGreaterThanOrEqual(0);
    expect(end.usage).toMatchObject({ energySource: expect.stringMatching(/measured|modelled/) });
    expect((await log(job.attemptId)).sort()).toEqual(['hello', 'world']);
  });

  it('is stopped when told to, and forgotten afterwards', async () => {
    const job = await fleet.run(nodeId, 'echo up; sleep 60');
    await until('it runs', async () => (await fleet.reports(job)).some((report) => report.state === 'running'));
    await fleet.command(nodeId, job, 'stop', { why: 'cancel', graceSeconds: 1 });
    expect((await fleet.ended(job)).end?.reason).toBe('stopped');
    expect(await log(job.attemptId)).toEqual(['up']);
    await fleet.command(nodeId, job, 'forget');
    await until('its folder is deleted', async () => !existsSync(`${fleet.agentFolder()}/attempts/${job.attemptId}.0`));
  });
});
