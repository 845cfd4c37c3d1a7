/** Containers through a real agent and a real gateway: whatever is killed in between, the job runs once and is known. */
import { execFileSync } from 'node:child_process';
import { mkdirSync, writeFileSync } from 'node:fs';
import { join } from 'node:path';
import { Registry } from 'prom-client';
import { afterEach, beforeEach, describe, expect, it } from 'vitest';
import type { StartPayload } from '../../../src/common/contract/agent/protocol.ts';
import { withSystem } from '../../../src/common/database/index.ts';
import type { FailpointName } from '../../../src/common/failpoints.ts';
import { silentLogger } from '../../../src/common/logger.ts';
import { openSecretStore } from '../../../src/common/secrets/index.ts';
import { FILES } from '../../../src/metapod/agent/supervisor/index.ts';
import { startRegistry } from '../../fakes/registry.ts';
import { makeImage, writeOciArchive } from '../../support/oci-image.ts';
import { findDriver } from './agent/support/boxed.ts';
import { exited, Fleet, kill, type PlacedRank, until } from './support/fleet.ts';

const runtime = await findDriver('runtime');
const podman = await findDriver('podman');
for (const [name, { why }] of Object.entries({ runtime, podman })) {
  if (why !== null) console.warn(`SKIPPED: containers of ${name} through an agent: ${why}`);
}

let fleet: Fleet;
let image: string;
let images: string;
beforeEach(async () => {
  fleet = await Fleet.create();
  images = join(fleet.home, 'images');
  mkdirSync(images);
  writeOciArchive(join(images, 'app.tar'), { config: { Cmd: ['sh', '-c', 'echo by itself; exit 3'] } });
  image = `node-archive:${images}/app.tar`;
});
afterEach(() => fleet.close());

const boxed = (change: Partial<StartPayload> = {}): Partial<StartPayload> => ({
  image,
  isolation: 'container',
  network: 'none',
  ...change,
});

async function startAgent(options: { failpoints?: string; args?: string[]; driver?: string } = {}) {
  const { url } = gateway ?? (await fleet.startGateway());
  gateway = { url };
  return fleet.spawnAgent({
    serverUrl: url,
    joinToken: await fleet.joinToken(),
    ...options,
    args: ['--image-dir', images, '--container-driver', options.driver ?? 'runtime', ...(options.args ?? [])],
  });
}
let gateway: { url: string } | undefined;
afterEach(() => {
  gateway = undefined;
});

const logOf = async (job: PlacedRank): Promise<string[]> => {
  const { readLogLines } = await import('../../../src/metapod/gateway/index.ts');
  const page = await until('the whole log', async () => {
    const read = await readLogLines(fleet.db.system, job.attemptId, 0, 0, 10_000);
    return read.complete && read;
  });
  return page.lines.map((line) => line.d);
};

describe.skipIf(runtime.why !== null)('a job in a container', () => {
  it('runs what its image says when it says nothing itself', async () => {
    await startAgent();
    const job = await fleet.run(await fleet.readyNode(), '', boxed({ command: [] }));
    expect((await fleet.ended(job)).end).toMatchObject({ reason: 'exited', exitCode: 3 });
    expect(await logOf(job)).toEqual(['by itself']);
  });

  it('is refused by a node that offers none, and so is what no container can be', async () => {
    await startAgent({ args: ['--isolation', 'sandbox'] });
    const job = await fleet.run(await fleet.readyNode(), 'true', boxed());
    const { end } = await fleet.ended(job);
    expect(end).toMatchObject({ reason: 'start-failed', message: expect.stringContaining('does not offer') });
    // Another node may.
    expect(end?.permanent).toBeUndefined();
    const { rows } = await fleet.db.system.query<{ facts: { isolationMissing: Record<string, string> } }>(
      'select facts from drm_nodes',
    );
    expect(rows[0]!.facts.isolationMissing.container).toContain('operator');
  });

  it.each([
    ['there is no such file', 'node-archive:none.tar', /^image_not_found: the image .*none\.tar cannot be used: /],
    ['the operator allows no such folder', 'rootfs:/etc', /^image_not_allowed: .*--image-dir/],
    ['its name is no name', 'Not An Image', /^image_invalid: /],
  ])('says why its image is not to be had, and that it never will be: %s', async (_, name, message) => {
    await startAgent();
    const job = await fleet.run(
      await fleet.readyNode(),
      'true',
      boxed({ image: name.replace('none.tar', `${images}/none.tar`) }),
    );
    expect((await fleet.ended(job)).end).toMatchObject({
      reason: 'start-failed',
      message: expect.stringMatching(message),
      permanent: true,
    });
  });

  it.each<FailpointName>([
    'image.before-pull',
    'image.before-unpack',
    'image.before-commit',
    'agent.before-supervisor',
    'agent.after-supervisor',
    'agent.after-journal',
  ])('runs once when the agent is killed at %s', async (point) => {
    const doomed = await startAgent({ failpoints: point });
    const job = await fleet.run(await fleet.readyNode(), 'echo began; exit 7', boxed());
    expect((await exited(doomed)).signal).toBe('SIGKILL');
    await startAgent();
    expect((await fleet.ended(job)).end).toMatchObject({ reason: 'exited', exitCode: 7 });
    expect(await logOf(job)).toEqual(['began']);
  });

  it.each<FailpointName>(['container.before-enter', 'container.after-enter'])(
    'has ended for certain when its supervisor is killed at %s',
    async (point) => {
      await startAgent({ failpoints: point });
      const job = await fleet.run(await fleet.readyNode(), 'echo began; sleep 1000', boxed());
      expect((await fleet.ended(job)).end).toMatchObject({ reason: 'supervisor-lost' });
      expect(
        execFileSync('sh', ['-c', `grep -l ${job.attemptId} /proc/[0-9]*/environ 2>/dev/null || true`]).length,
      ).toBe(0);
    },
  );

  it('goes on while its agent is dead, and is taken up by the next', async () => {
    const first = await startAgent();
    const node = await fleet.readyNode();
    const job = await fleet.run(node, 'echo up; while [ ! -e /work/go ]; do sleep 0.1; done; echo done', boxed());
    await until('it runs', async () => (await fleet.reports(job)).some(({ state }) => state === 'running'));
    await kill(first);
    const work = join(fleet.agentFolder(), 'attempts', `${job.attemptId}.0`, FILES.work);
    writeFileSync(join(work, 'go'), '');
    await startAgent();
    expect((await fleet.ended(job)).end).toMatchObject({ reason: 'exited', exitCode: 0 });
    expect(await logOf(job)).toEqual(['up', 'done']);
  });

  it('is stopped at once while its image is still on the way, which people can see', async () => {
    const registry = await startRegistry();
    registry.put('app', 'v1', makeImage());
    registry.disturb = (path) => path.includes('/blobs/');
    try {
      await startAgent({ args: ['--insecure-registry', registry.host] });
      const node = await fleet.readyNode();
      const job = await fleet.run(node, 'true', boxed({ image: `${registry.host}/app:v1` }));
      const words = await until('how far it is', async () => {
        const { rows } = await fleet.db.system.query<{ data: { message: string } }>(
          `select data from feed_events where subject = $1 and kind = 'job.preparing'`,
          [job.jobId],
        );
        return rows[0]?.data.message;
      });
      expect(words).toContain(registry.host);
      await fleet.command(node, job, 'stop', { why: 'not wanted', graceSeconds: 5 });
      expect((await fleet.ended(job, 10)).end).toMatchObject({ reason: 'never-started' });
    } finally {
      await registry.close();
    }
  });

  it('has its image from a private registry by a secret that is in no row, no file and no log', async () => {
    const registry = await startRegistry({ credentials: 'anna:hunter2-of-the-registry' });
    registry.put('app', 'v1', makeImage());
    try {
      await startAgent({ args: ['--insecure-registry', registry.host] });
      const node = await fleet.readyNode();
      const keyFile = join(fleet.home, 'secrets.key');
      const store = await openSecretStore({ db: fleet.db, keyFile, logger: silentLogger, registry: new Registry() });
      await withSystem(fleet.db, (tx) =>
        store.set(
          tx,
          { tenant: fleet.tenant, project: null },
          'pull',
          Buffer.from('anna:hunter2-of-the-registry'),
          'key_1',
        ),
      );
      const name = `${registry.host}/app:v1`;
      const job = await fleet.place(node);
      await fleet.db.system.query('update cmo_jobs set spec = $2 where id = $1', [
        job.jobId,
        JSON.stringify({ secrets: [], image: name, imageCredentials: { secret: 'pull' } }),
      ]);
      const { startOf } = await import('./support/fleet.ts');
      await fleet.command(
        node,
        job,
        'start',
        startOf(job.jobId, 'echo ran', boxed({ image: name, hasImageCredentials: true })),
      );
      expect((await fleet.ended(job)).end).toMatchObject({ reason: 'exited', exitCode: 0 });
      const { rows } = await fleet.db.system.query('select 1 from metapod_commands where payload::text like $1', [
        '%hunter2%',
      ]);
      expect(rows).toEqual([]);
      expect(execFileSync('sh', ['-c', 'grep -rl hunter2 "$1" || true', 'sh', fleet.home], { encoding: 'utf8' })).toBe(
        '',
      );
      expect(fleet.output).not.toContain('hunter2');
      const { rows: audit } = await fleet.db.system.query<{ data: string }>(
        `select data::text as data from audit_entries where action = 'secret.given'`,
      );
      expect(audit).toHaveLength(1);
      expect(audit[0]!.data).toContain('pull');
    } finally {
      await registry.close();
    }
  });
});

describe.skipIf(podman.why !== null)('a container that nobody holds', () => {
  const engine = (...words: string[]) => {
    const { program, flags } = podman.driver!;
    return execFileSync(program, [...flags, ...words], { encoding: 'utf8' }).trim();
  };
  const names = () => engine('ps', '--all', '--format', '{{.Names}}').split('\n');

  it('is found and ended when the agent starts; one of another installation is left alone', async () => {
    const first = await startAgent({ driver: 'podman' });
    await fleet.readyNode();
    await kill(first);
    const { installationId } = JSON.parse(
      execFileSync('cat', [join(fleet.agentFolder(), 'identity.json')], { encoding: 'utf8' }),
    ) as { installationId: string };
    const { createFlags } = podman.driver!;
    const root = join(fleet.home, 'root');
    mkdirSync(join(root, 'bin'), { recursive: true });
    execFileSync('cp', ['/bin/busybox', join(root, 'bin/sh')]);
    const make = (name: string, installation: string) =>
      engine(
        'run',
        '--detach',
        `--name=${name}`,
        `--label=io.solyx.installation=${installation}`,
        ...createFlags,
        '--network=none',
        '--rootfs',
        root,
        'sh',
        '-c',
        'while true; do read x < /dev/zero; done',
      );
    const [orphan, foreign] = [`solyx-att_orphan-${process.pid}`, `solyx-att_foreign-${process.pid}`];
    try {
      make(orphan, installationId);
      make(foreign, `other-${installationId}`);
      await startAgent({ driver: 'podman' });
      await until('the orphan is gone', async () => !names().includes(orphan), 60);
      expect(names()).toContain(foreign);
    } finally {
      engine('rm', '--force', '--time=0', '--ignore', orphan, foreign);
    }
  }, 120_000);

  it('leaves no trace of a job that ended, nor of one whose supervisor was killed', async () => {
    await startAgent({ driver: 'podman' });
    const node = await fleet.readyNode();
    const job = await fleet.run(node, 'echo in podman; exit 4', boxed());
    expect((await fleet.ended(job, 60)).end).toMatchObject({ reason: 'exited', exitCode: 4 });
    const lost = await fleet.run(node, 'sleep 1000', boxed());
    await until('it runs', async () => (await fleet.reports(lost)).some(({ state }) => state === 'running'), 60);
    const claim = join(fleet.agentFolder(), 'attempts', `${lost.attemptId}.0`, FILES.claim);
    const { pid } = JSON.parse(execFileSync('cat', [claim], { encoding: 'utf8' })) as { pid: number };
    process.kill(pid, 'SIGKILL');
    expect((await fleet.ended(lost, 60)).end).toMatchObject({ reason: 'supervisor-lost' });
    expect(names().filter((name) => name.includes(job.attemptId) || name.includes(lost.attemptId))).toEqual([]);
  }, 120_000);
});
