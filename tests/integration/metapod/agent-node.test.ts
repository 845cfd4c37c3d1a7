import { readFileSync } from 'node:fs';
import { join } from 'node:path';
import { afterAll, beforeAll, describe, expect, it } from 'vitest';
import { identify, isAlive } from '../../../src/metapod/agent/supervisor/index.ts';
import { readLogLines } from '../../../src/metapod/gateway/index.ts';
import { Fleet, type PlacedRank, until } from './support/fleet.ts';

let fleet: Fleet;
let nodeId: string;
beforeAll(async () => {
  fleet = await Fleet.create();
  const { url } = await fleet.startGateway();
  fleet.spawnAgent({ serverUrl: url, joinToken: await fleet.joinToken(), args: ['--host-network'] });
  nodeId = await fleet.readyNode();
});
afterAll(() => fleet.close());

const logOf = async (placed: PlacedRank) => {
  const page = await until('the whole log', async () => {
    const read = await readLogLines(fleet.db.system, placed.attemptId, 0, 0, 10_000);
    return read.complete && read;
  });
  return page.lines;
};

describe('an agent', () => {
  it('says what its node offers', async () => {
    const { rows } = await fleet.db.system.query<{ isolation: string[]; cpu_milli: bigint; host_network: boolean }>(
      'select isolation, cpu_milli, host_network from drm_nodes where id = $1',
      [nodeId],
    );
    expect(rows[0]?.isolation).toContain('sandbox');
    expect(rows[0]?.host_network).toBe(true);
    expect(Number(rows[0]?.cpu_milli)).toBeGreaterThan(0);
  });

  it('runs a job in a sandbox, in which the operator’s files are not', async () => {
    const secret = join(fleet.home, 'agent', 'identity.json');
    const job = await fleet.run(nodeId, `cat ${secret} 2>/dev/null && exit 1; echo hidden; pwd`, {
      isolation: 'sandbox',
      network: 'none',
    });
    expect((await fleet.ended(job)).end).toMatchObject({ reason: 'exited', exitCode: 0 });
    expect((await logOf(job))[0]?.d).toBe('hidden');
  });

  it('ships a long log whole and in order', async () => {
    const job = await fleet.run(
      nodeId,
      'i=0; while [ $i -lt 8000 ]; do echo "line $i ........................................"; i=$((i+1)); done',
    );
    await fleet.ended(job);
    const lines = await logOf(job);
    expect(lines).toHaveLength(8000);
    expect(lines.map((line) => line.d.split(' ')[1])).toEqual(lines.map((_, index) => String(index)));
  });

  it('reports a supervisor that was killed, and leaves nothing of its job running', async () => {
    const job = await fleet.run(nodeId, 'echo $$; sleep 100');
    await until('it runs', async () => (await fleet.reports(job)).some((report) => report.state === 'running'));
    const status = JSON.parse(
      readFileSync(join(fleet.agentFolder(), 'attempts', `${job.attemptId}.0`, 'status.json'), 'utf8'),
    ) as { supervisorPid: number; jobPid: number };
    const running = identify(status.jobPid)!;
    process.kill(status.supervisorPid, 'SIGKILL');
    expect((await fleet.ended(job)).end?.reason).toBe('supervisor-lost');
    expect(isAlive(running)).toBe(false);
  });

  it('says why it cannot start what it does not offer', async () => {
    const container = await fleet.run(nodeId, 'true', { isolation: 'container' });
    expect((await fleet.ended(container)).end).toMatchObject({
      reason: 'start-failed',
      message: expect.stringContaining('container'),
    });
    const device = await fleet.run(nodeId, 'true', { devices: [{ uuid: 'GPU-none', milli: 1000 }] });
    expect((await fleet.ended(device)).end?.message).toContain('GPU-none');
  });
});
