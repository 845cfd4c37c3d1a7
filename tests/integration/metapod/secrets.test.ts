/** A job's secrets on their way: whatever dies in between, the job gets them; whoever else asks does not. */
import { readdirSync, readFileSync } from 'node:fs';
import { join } from 'node:path';
import { Registry } from 'prom-client';
import { afterEach, beforeEach, describe, expect, it } from 'vitest';
import { withSystem } from '../../../src/common/database/index.ts';
import type { FailpointName } from '../../../src/common/failpoints.ts';
import { silentLogger } from '../../../src/common/logger.ts';
import { openSecretStore } from '../../../src/common/secrets/index.ts';
import { readLogLines } from '../../../src/metapod/gateway/index.ts';
import { exited, Fleet, type PlacedRank, startOf, until } from './support/fleet.ts';
import { RawAgent } from './support/raw-agent.ts';

const value = 'a-secret-of-the-fleet-0815';
const wanted = [{ name: 'token', env: 'TOKEN', file: 'token' }];
/** Says how long it is, by both ways, and not what it is. */
const script = 'printf %s "$TOKEN" | wc -c; wc -c < "$SOLYX_SECRETS_DIR/token"';

let fleet: Fleet;
beforeEach(async () => {
  fleet = await Fleet.create();
});
afterEach(() => fleet.close());

async function setSecret(bytes = Buffer.from(value)): Promise<void> {
  const keyFile = join(fleet.home, 'secrets.key');
  const store = await openSecretStore({ db: fleet.db, keyFile, logger: silentLogger, registry: new Registry() });
  await withSystem(fleet.db, (tx) => store.set(tx, { tenant: fleet.tenant, project: null }, 'token', bytes, 'key_1'));
}

/** Places a rank whose job asks for the secret; nothing is started yet. */
async function place(nodeId: string): Promise<PlacedRank> {
  const placed = await fleet.place(nodeId);
  await withSystem(fleet.db, (tx) =>
    tx.query('update cmo_jobs set spec = $2 where id = $1', [placed.jobId, JSON.stringify({ secrets: wanted })]),
  );
  return placed;
}

const start = (nodeId: string, placed: PlacedRank) =>
  fleet.command(nodeId, placed, 'start', startOf(placed.jobId, script, { secrets: wanted }));

const log = async (placed: PlacedRank) => {
  const page = await until('the whole log', async () => {
    const read = await readLogLines(fleet.db.system, placed.attemptId, 0, 0, 100);
    return read.complete && read;
  });
  return page.lines.map((line) => line.d.trim());
};

/** Files of the agent that hold the secret, as it is or encoded. */
function filesWithSecret(): string[] {
  const encoded = Buffer.from(value).toString('base64');
  return readdirSync(fleet.agentFolder(), { recursive: true, withFileTypes: true })
    .filter((entry) => entry.isFile())
    .map((entry) => join(entry.parentPath, entry.name))
    .filter((file) => {
      const text = readFileSync(file, 'latin1');
      return text.includes(value) || text.includes(encoded);
    });
}

describe('an agent that is killed', () => {
  const points: FailpointName[] = [
    'agent.before-intent',
    'agent.after-intent',
    'agent.before-supervisor',
    'agent.after-supervisor',
  ];
  it.each(points)('at %s asks again: the job runs once and has its secret', async (point) => {
    await setSecret();
    const { url } = await fleet.startGateway();
    const options = { serverUrl: url, joinToken: await fleet.joinToken(), args: ['--host-network'] };
    const doomed = fleet.spawnAgent({ ...options, failpoints: point });
    const nodeId = await fleet.readyNode();
    const job = await place(nodeId);
    await start(nodeId, job);
    expect((await exited(doomed)).signal).toBe('SIGKILL');
    expect(filesWithSecret()).toEqual([]);
    fleet.spawnAgent(options);
    expect((await fleet.ended(job, 40_000)).end).toMatchObject({ reason: 'exited', exitCode: 0 });
    expect(await log(job)).toEqual([String(value.length), String(value.length)]);
    expect(filesWithSecret()).toEqual([]);
  });
});

describe('a supervisor that is killed before its job runs', () => {
  it('leaves the attempt lost and nothing of the secret behind', async () => {
    await setSecret();
    const { url } = await fleet.startGateway();
    // Supervisors inherit the failpoint from their agent.
    fleet.spawnAgent({
      serverUrl: url,
      joinToken: await fleet.joinToken(),
      args: ['--host-network'],
      failpoints: 'supervisor.after-spawn',
    });
    const nodeId = await fleet.readyNode();
    const job = await place(nodeId);
    await start(nodeId, job);
    expect((await fleet.ended(job, 40_000)).end?.reason).toBe('supervisor-lost');
    expect(filesWithSecret()).toEqual([]);
    const left = readdirSync('/dev/shm').filter((name) => name.includes(job.attemptId));
    expect(left).toEqual([]);
  });
});

/** What a node says of a job that wants the secret as a variable. */
async function endOfStart() {
  const { url } = await fleet.startGateway();
  fleet.spawnAgent({ serverUrl: url, joinToken: await fleet.joinToken(), args: ['--host-network'] });
  const nodeId = await fleet.readyNode();
  const job = await place(nodeId);
  await start(nodeId, job);
  return (await fleet.ended(job)).end;
}

describe('a secret that does not exist any more', () => {
  it('ends the attempt before it starts, naming it', async () => {
    const end = await endOfStart();
    expect(end).toMatchObject({ reason: 'start-failed', message: expect.stringContaining('no secret token') });
    // It may be set again.
    expect(end?.permanent).toBeUndefined();
  });
});

describe('a secret that is no text', () => {
  it('ends the attempt for good where the job wants it as a variable', async () => {
    await setSecret(Buffer.from([0x61, 0xff, 0x00]));
    const end = await endOfStart();
    expect(end).toMatchObject({
      reason: 'start-failed',
      message: expect.stringContaining('is no text; take it as a file'),
      permanent: true,
    });
  });
});

describe('the route that hands secrets over', () => {
  async function makeNode(name: string): Promise<{ nodeId: string; token: string }> {
    const response = await fetch(`${url}/v1/agent/join`, {
      method: 'POST',
      headers: { authorization: `Bearer ${await fleet.joinToken()}`, 'content-type': 'application/json' },
      body: JSON.stringify({ name, installationId: name }),
    });
    return (await response.json()) as { nodeId: string; token: string };
  }
  const ask = async (token: string | null, attemptId: string, body: unknown) => {
    const response = await fetch(`${url}/v1/agent/attempts/${attemptId}/secrets`, {
      method: 'POST',
      headers: { 'content-type': 'application/json', ...(token !== null && { authorization: `Bearer ${token}` }) },
      body: JSON.stringify(body),
    });
    return { status: response.status, text: await response.text(), cache: response.headers.get('cache-control') };
  };
  let url = '';
  beforeEach(async () => {
    await setSecret();
    url = (await fleet.startGateway()).url;
  });

  it('gives them to the node of a rank that is to be started, as often as it asks, and audits that', async () => {
    const node = await makeNode('one');
    const placed = await place(node.nodeId);
    const body = { rank: 0, token: String(placed.token) };
    for (let n = 0; n < 2; n += 1) {
      const answer = await ask(node.token, placed.attemptId, body);
      expect(answer).toMatchObject({ status: 200, cache: 'no-store' });
      expect(JSON.parse(answer.text).secrets).toEqual([
        { env: 'TOKEN', file: 'token', value: Buffer.from(value).toString('base64') },
      ]);
    }
    const { rows } = await fleet.db.system.query<{ data: string }>(
      `select data from audit_entries where tenant = $1 and action = 'secret.given'`,
      [fleet.tenant],
    );
    expect(rows).toHaveLength(2);
    expect(JSON.parse(rows[0]!.data)).toMatchObject({ secrets: ['token'], node: node.nodeId });
  });

  it('gives them to nobody else', async () => {
    const [node, other] = [await makeNode('one'), await makeNode('two')];
    const placed = await place(node.nodeId);
    const body = { rank: 0, token: String(placed.token) };
    const refusals: [string, string | null, unknown, number][] = [
      ['a stranger', null, body, 401],
      ['a join token', await fleet.joinToken(), body, 401],
      ['another node', other.token, body, 404],
      ['another token', node.token, { rank: 0, token: String(placed.token + 1n) }, 404],
      ['another rank', node.token, { rank: 1, token: String(placed.token) }, 404],
      ['nonsense', node.token, { rank: 'x' }, 422],
    ];
    for (const [who, token, what, status] of refusals) {
      const answer = await ask(token, placed.attemptId, what);
      expect(answer.status, who).toBe(status);
      expect(answer.text, who).not.toContain(Buffer.from(value).toString('base64'));
    }
    const set = (sql: string) => withSystem(fleet.db, (tx) => tx.query(sql, [placed.attemptId]));
    await set(`update cmo_attempt_ranks set state = 'running' where attempt_id = $1`);
    expect((await ask(node.token, placed.attemptId, body)).status, 'a rank that runs').toBe(404);
    await set(`update cmo_attempt_ranks set state = 'placed' where attempt_id = $1`);
    await fleet.place(node.nodeId, placed.jobId);
    expect((await ask(node.token, placed.attemptId, body)).status, 'an older attempt').toBe(404);
  });

  it('is not known to a node of the old protocol, which is therefore sent a start that it refuses', async () => {
    const node = await makeNode('old');
    const agent = await RawAgent.connected(url, node.token, { protocol: 1 });
    const placed = await place(node.nodeId);
    await start(node.nodeId, placed);
    expect((await agent.next('command')).payload).toEqual({});
    const newer = await RawAgent.connected(url, node.token, { protocol: 2 });
    expect((await newer.next('command')).payload).toMatchObject({ jobId: placed.jobId, secrets: wanted });
    newer.socket.close();
  });
});
