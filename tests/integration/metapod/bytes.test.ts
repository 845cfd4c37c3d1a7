import { execFileSync } from 'node:child_process';
import { existsSync, mkdirSync, readFileSync, writeFileSync } from 'node:fs';
import { join } from 'node:path';
import { afterAll, beforeAll, describe, expect, it } from 'vitest';
import { hashOf, openDirectoryStore, ownBlobs, parseManifest, readAll } from '../../../src/common/blobs/index.ts';
import { withSystem } from '../../../src/common/database/index.ts';
import { newId } from '../../../src/common/ids.ts';
import { readLogLines } from '../../../src/metapod/gateway/index.ts';
import { Fleet, type PlacedRank, until } from './support/fleet.ts';
import type { StartedGateway } from './support/gateway.ts';

let fleet: Fleet;
let gateway: StartedGateway;
let nodeId: string;
beforeAll(async () => {
  fleet = await Fleet.create();
  gateway = await fleet.startGateway();
  fleet.spawnAgent({ serverUrl: gateway.url, joinToken: await fleet.joinToken(), args: ['--host-network'] });
  nodeId = await fleet.readyNode();
});
afterAll(() => fleet.close());

const logOf = async (placed: PlacedRank) => {
  const page = await until('the whole log', async () => {
    const read = await readLogLines(fleet.db.system, placed.attemptId, 0, 0, 1000);
    return read.complete && read;
  });
  return page.lines.map((line) => line.d);
};

async function checkpointOf(jobId: string): Promise<{ hash: string | null; token: bigint | null; files: string[] }> {
  const { rows } = await fleet.db.system.query<{ hash: string | null; token: bigint | null }>(
    'select checkpoint_hash as hash, checkpoint_token as token from cmo_jobs where id = $1',
    [jobId],
  );
  const { hash, token } = rows[0]!;
  if (hash === null) return { hash, token, files: [] };
  const store = await openDirectoryStore(fleet.blobs);
  const manifest = parseManifest(await readAll((await store.get(hash))!, 1_000_000));
  return { hash, token, files: manifest.files.map((file) => file.path) };
}

/** Puts a blob as a tenant's upload would. */
async function upload(content: Buffer, tenant: string = fleet.tenant): Promise<string> {
  const hash = hashOf(content);
  await (await openDirectoryStore(fleet.blobs)).put(content, hash);
  await withSystem(fleet.db, (tx) => ownBlobs(tx, tenant, [{ hash, sizeBytes: content.length }]));
  return hash;
}

/** Gives the node work of another tenant. @returns the tenant */
async function placeStranger(onNode: string) {
  const [tenant, project, job, attempt] = [newId('tenant'), newId('project'), newId('job'), newId('attempt')];
  await withSystem(fleet.db, async (tx) => {
    await tx.query('insert into cmo_tenants (id, name) values ($1, $1)', [tenant]);
    await tx.query(`insert into cmo_projects (id, tenant, name) values ($1, $2, 'default')`, [project, tenant]);
    await tx.query(
      `insert into cmo_jobs (id, tenant, project, name, state, priority, spec, submitted_by)
       values ($1, $2, $3, 'test', 'running', 0, '{}', 'test')`,
      [job, tenant, project],
    );
    await tx.query(
      `insert into cmo_attempts (id, tenant, job_id, number, backend, site_id, explanation)
       values ($1, $2, $3, 1, 'agent', $4, '{}')`,
      [attempt, tenant, job, fleet.siteId],
    );
    await tx.query('insert into cmo_attempt_ranks (attempt_id, tenant, rank, node_id) values ($1, $2, 0, $3)', [
      attempt,
      tenant,
      onNode,
    ]);
  });
  return tenant;
}

describe('a bundle', () => {
  it('is unpacked into the working directory of the job', async () => {
    const folder = join(fleet.home, 'bundle');
    mkdirSync(join(folder, 'src'), { recursive: true });
    writeFileSync(join(folder, 'src', 'main.sh'), 'echo from the bundle', { mode: 0o755 });
    execFileSync('tar', ['-czf', join(fleet.home, 'bundle.tgz'), '-C', folder, '.']);
    const bundle = await upload(readFileSync(join(fleet.home, 'bundle.tgz')));
    const job = await fleet.run(nodeId, 'sh src/main.sh', { bundle });
    expect((await fleet.ended(job)).end?.exitCode).toBe(0);
    expect(await logOf(job)).toEqual(['from the bundle']);
  });

  it('of another tenant does not exist for the job', async () => {
    const stranger = newId('tenant');
    const bundle = await upload(Buffer.from('a secret of a stranger'), stranger);
    const job = await fleet.run(nodeId, 'true', { bundle });
    expect((await fleet.ended(job)).end).toMatchObject({
      reason: 'start-failed',
      message: expect.stringContaining(bundle),
    });
  });

  it('that is no archive fails the start with a reason', async () => {
    const bundle = await upload(Buffer.from('this is no tar archive at all'.repeat(100)));
    const job = await fleet.run(nodeId, 'true', { bundle });
    expect((await fleet.ended(job)).end).toMatchObject({
      reason: 'start-failed',
      message: expect.stringContaining('bundle'),
    });
  });
});

describe('a checkpoint', () => {
  it('is committed while the job runs, and whole before its end is reported', async () => {
    const job = await fleet.run(
      nodeId,
      'echo 1 > $SOLYX_CHECKPOINT_DIR/step-1; echo x > $SOLYX_CHECKPOINT_DIR/half.tmp; while [ ! -e go ]; do sleep 0.1; done; echo 2 > $SOLYX_CHECKPOINT_DIR/step-2',
      { checkpointPath: '/checkpoints' },
    );
    await until('the first checkpoint', async () => (await checkpointOf(job.jobId)).files.length === 1);
    expect(await checkpointOf(job.jobId)).toMatchObject({ token: job.token, files: ['step-1'] });
    writeFileSync(join(fleet.agentFolder(), 'attempts', `${job.attemptId}.0`, 'work', 'go'), '');
    await fleet.ended(job);
    expect((await checkpointOf(job.jobId)).files).toEqual(['step-1', 'step-2']);
  });

  it('is what the next attempt finds, and the attempt before can change it no more', async () => {
    const first = await fleet.run(nodeId, 'echo 41 > $SOLYX_CHECKPOINT_DIR/step; sleep 30', {
      checkpointPath: '/checkpoints',
    });
    const { hash } = await until('its checkpoint', async () => {
      const found = await checkpointOf(first.jobId);
      return found.hash !== null && found;
    });
    const second = await fleet.run(
      nodeId,
      'expr $(cat $SOLYX_PREVIOUS_CHECKPOINT_DIR/step) + 1 > $SOLYX_CHECKPOINT_DIR/step; cat $SOLYX_CHECKPOINT_DIR/step',
      { checkpointPath: '/checkpoints', checkpointHash: hash },
      first.jobId,
    );
    expect((await fleet.ended(second)).end?.exitCode).toBe(0);
    expect(await logOf(second)).toEqual(['42']);
    const committed = await checkpointOf(first.jobId);
    expect(committed.token).toBe(second.token);

    // The newer start ended the older attempt here; its last checkpoint was refused and its end says so.
    const late = await fleet.ended(first);
    expect(late.end?.reason).toBe('stopped');
    expect(await checkpointOf(first.jobId)).toEqual(committed);
  });
});

describe('the routes for bytes', () => {
  const request = (
    token: string,
    method: string,
    path: string,
    body: string | Buffer | null = null,
    type = 'application/octet-stream',
  ) =>
    fetch(`${gateway.url}${path}`, {
      method,
      body: body as string,
      headers: { authorization: `Bearer ${token}`, ...(body !== null && { 'content-type': type }) },
    });
  const codeOf = async (response: Response) => [response.status, ((await response.json()) as { code: string }).code];

  it('refuse a stale token, a foreign attempt, an unknown key and wrong bytes', async () => {
    const node = await fleet.makeNode();
    const old = await fleet.place(node.nodeId);
    const newer = await fleet.place(node.nodeId, old.jobId);
    const bytes = Buffer.from('weights');
    const path = (placed: PlacedRank, hash = hashOf(bytes)) =>
      `/v1/agent/attempts/${placed.attemptId}/blobs/${hash}?token=${placed.token}`;
    expect(await codeOf(await request(node.token, 'PUT', path(old), bytes))).toEqual([409, 'stale_token']);
    expect((await request(node.token, 'PUT', path(newer), bytes)).status).toBe(204);
    expect(await codeOf(await request(node.token, 'PUT', path(newer, hashOf(Buffer.from('y'))), bytes))).toEqual([
      422,
      'blob_hash_mismatch',
    ]);
    const foreign = await fleet.makeNode();
    expect(await codeOf(await request(foreign.token, 'PUT', path(newer), bytes))).toEqual([404, 'not_found']);
    expect(await codeOf(await request('sx_node_x', 'PUT', path(newer), bytes))).toEqual([401, 'unauthenticated']);
    expect((await request(node.token, 'HEAD', `/v1/agent/blobs/${hashOf(bytes)}`)).status).toBe(200);
    expect((await request(foreign.token, 'HEAD', `/v1/agent/blobs/${hashOf(bytes)}`)).status).toBe(404);
    expect(await (await request(node.token, 'GET', `/v1/agent/blobs/${hashOf(bytes)}`)).text()).toBe('weights');
  });

  it('spare an attempt no upload because of another tenant’s bytes, and take no artefacts of another node’s rank', async () => {
    const node = await fleet.makeNode();
    const placed = await fleet.place(node.nodeId);
    const stranger = await placeStranger(node.nodeId);
    const theirs = await upload(Buffer.from('the same bytes'), stranger);
    const mine = await upload(Buffer.from('own bytes'));
    const head = (hash: string) => request(node.token, 'HEAD', `/v1/agent/blobs/${hash}?attempt=${placed.attemptId}`);
    expect((await head(mine)).status).toBe(200);
    expect((await head(theirs)).status).toBe(404);
    expect((await request(node.token, 'HEAD', `/v1/agent/blobs/${theirs}`)).status).toBe(200);
    const artifacts = (rank: number, token = String(placed.token)) =>
      request(
        node.token,
        'POST',
        `/v1/agent/attempts/${placed.attemptId}/artifacts`,
        JSON.stringify({ token, rank, manifestHash: mine }),
        'application/json',
      );
    expect(await codeOf(await artifacts(1))).toEqual([404, 'not_found']);
    expect(await codeOf(await artifacts(0, '9'.repeat(19)))).toEqual([404, 'not_found']);
    expect(await codeOf(await artifacts(0))).toEqual([422, 'manifest_invalid']);
  });

  it('fence a checkpoint: an older token is refused, missing chunks too, and nothing changes', async () => {
    const node = await fleet.makeNode();
    const old = await fleet.place(node.nodeId);
    const put = async (placed: PlacedRank, content: Buffer) => {
      const path = `/v1/agent/attempts/${placed.attemptId}/blobs/${hashOf(content)}?token=${placed.token}`;
      expect((await request(node.token, 'PUT', path, content)).status).toBe(204);
      return hashOf(content);
    };
    const commit = (placed: PlacedRank, manifestHash: string) =>
      request(
        node.token,
        'POST',
        `/v1/agent/attempts/${placed.attemptId}/checkpoint`,
        JSON.stringify({ token: String(placed.token), rank: 0, manifestHash }),
        'application/json',
      );
    const chunk = await put(old, Buffer.from('1'));
    const manifest = (chunks: string[]) =>
      Buffer.from(JSON.stringify({ version: 1, files: [{ path: 'step', sizeBytes: 1, mode: 420, chunks }] }));
    const good = await put(old, manifest([chunk]));
    expect((await commit(old, good)).status).toBe(204);
    const holed = await put(old, manifest(['0'.repeat(64)]));
    expect(await codeOf(await commit(old, holed))).toEqual([422, 'manifest_invalid']);
    expect(await codeOf(await commit(old, '1'.repeat(64)))).toEqual([404, 'not_found']);
    const before = await checkpointOf(old.jobId);
    await fleet.place(node.nodeId, old.jobId);
    expect(await codeOf(await commit(old, good))).toEqual([409, 'stale_token']);
    expect(await checkpointOf(old.jobId)).toEqual(before);
  });
});

describe('artefacts', () => {
  it('are kept: files of the working directory by name, and all of the artefact folder', async () => {
    const job = await fleet.run(
      nodeId,
      'mkdir out many; echo a > out/a; echo b > b; echo c > $SOLYX_ARTIFACTS_DIR/c; echo d > d; seq -f many/%g 21000 | xargs touch',
      {
        artifacts: ['./out/', 'b', 'missing'],
      },
    );
    await fleet.ended(job);
    const { rows } = await fleet.db.system.query<{ manifest_hash: string; file_count: number }>(
      'select manifest_hash, file_count from metapod_artifacts where attempt_id = $1',
      [job.attemptId],
    );
    const store = await openDirectoryStore(fleet.blobs);
    const manifest = parseManifest(await readAll((await store.get(rows[0]!.manifest_hash))!, 100_000));
    expect(manifest.files.map((file) => file.path).sort()).toEqual(['b', 'c', 'out/a']);
    expect(rows[0]?.file_count).toBe(3);
  });
});

describe('joining', () => {
  const joinAs = (token: string, installationId: string, name: string) =>
    fetch(`${gateway.url}/v1/agent/join`, {
      method: 'POST',
      headers: { authorization: `Bearer ${token}`, 'content-type': 'application/json' },
      body: JSON.stringify({ name, installationId }),
    });

  it('again after a lost answer makes the same node, with a new token, and uses the join token up once', async () => {
    const token = await fleet.joinToken(1);
    const first = (await (await joinAs(token, 'one', 'joiner')).json()) as { nodeId: string; token: string };
    const second = (await (await joinAs(token, 'one', 'joiner')).json()) as { nodeId: string; token: string };
    expect(second.nodeId).toBe(first.nodeId);
    expect(second.token).not.toBe(first.token);
    expect((await joinAs(token, 'two', 'another')).status).toBe(401);
    const old = await fetch(`${gateway.url}/v1/agent/blobs/${'0'.repeat(64)}`, {
      headers: { authorization: `Bearer ${first.token}` },
    });
    expect(old.status).toBe(401);
  });

  it('with a name that is taken is refused', async () => {
    const token = await fleet.joinToken();
    expect((await joinAs(token, 'a', 'taken')).status).toBe(201);
    expect((await joinAs(token, 'b', 'taken')).status).toBe(409);
  });

  it('leaves an identity that only its owner can read', () => {
    const file = join(fleet.agentFolder(), 'identity.json');
    expect(existsSync(file)).toBe(true);
    expect(execFileSync('stat', ['-c', '%a', file], { encoding: 'utf8' }).trim()).toBe('600');
  });
});
