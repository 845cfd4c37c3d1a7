/**
 * Exec, forward and copy where the pieces lie apart: the client at one server and the agent at another, an agent that is not root, and jobs without
 * isolation.
 */
import { chmodSync, chownSync, mkdtempSync, readFileSync, rmSync, writeFileSync } from 'node:fs';
import { connect } from 'node:net';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { afterAll, beforeAll, beforeEach, describe, expect, it } from 'vitest';
import { WebSocket } from 'ws';
import { createTestDatabase, type TestDatabase } from '../support/database.ts';
import { startCommand, startKeeper } from '../support/job-shell.ts';
import { type NodeAgent, startNodeAgent } from '../support/node-agent.ts';
import { noBusybox, writeOciArchive } from '../support/oci-image.ts';
import { Product } from '../support/product.ts';
import { until } from '../support/until.ts';

describe('two servers', () => {
  const home = mkdtempSync(join(tmpdir(), 'solyx-relay-'));
  const servers: Product[] = [];
  const urls: string[] = [];
  let database: TestDatabase;
  let agent: NodeAgent | undefined;
  let id = '';
  /** The first server has the client, the second the agent. */
  const env = () => ({ SOLYX_URL: urls[0]! });

  beforeAll(async () => {
    database = await createTestDatabase();
    for (const index of [0, 1]) {
      servers.push(
        new Product({ home, env: { SOLYX_DATABASE_URL: database.url }, server: ['serve', 'all', '--port', '0'] }),
      );
      urls.push(await servers[index]!.up());
    }
    const token = await servers[0]!.ok(['keys', 'create', '--name', 'n', '--kind', 'join'], { env: env() });
    agent = startNodeAgent({ url: urls[1]!, token, dataDir: join(home, 'agent'), name: 'far' });
    await until(
      'the node is ready',
      async () => (await servers[0]!.ok(['nodes'], { env: env() })).includes(' ready '),
      30_000,
    );
    id = await startKeeper(servers[0]!, {}, env());
  }, 180_000);
  afterAll(async () => {
    await servers[0]?.run(['down']);
    agent?.child.kill('SIGKILL');
    for (const server of servers) await server.kill('SIGKILL');
    await database?.drop();
    rmSync(home, { recursive: true, force: true });
  }, 90_000);

  it('hand a session on to each other: input, output, exit code', async () => {
    const result = await servers[0]!.run(['exec', '-i', id, '--', 'sh', '-c', 'cat; exit 4'], {
      input: 'across',
      env: env(),
    });
    expect(result).toEqual({ code: 4, stdout: 'across', stderr: '' });
  }, 30_000);

  it('and a copy, byte for byte', async () => {
    const file = join(home, 'file');
    const hash = await servers[0]!.run(
      ['exec', id, '--', 'sh', '-c', 'head -c 5000000 /dev/urandom > r; sha256sum < r'],
      { env: env() },
    );
    await servers[0]!.ok(['cp', `${id}:r`, file], { env: env() });
    await servers[0]!.ok(['cp', file, `${id}:back`], { env: env() });
    const back = await servers[0]!.run(['exec', id, '--', 'sh', '-c', 'sha256sum < back'], { env: env() });
    expect(back.stdout).toBe(hash.stdout);
  }, 60_000);

  it('a revoked key ends a session that is handed on', async () => {
    const made = await servers[0]!.ok(['keys', 'create', '--name', 'k', '--json'], { env: env() });
    const key = JSON.parse(made) as { id: string; secret: string };
    const command = startCommand(servers[0]!, ['exec', id, '--', 'sh', '-c', 'echo open; exec sleep 60'], {
      env: { ...env(), SOLYX_API_KEY: key.secret },
    });
    await until('it is open', () => command.stdout().includes('open'));
    // Through the other server.
    await servers[1]!.ok(['keys', 'revoke', key.id], { env: { SOLYX_URL: urls[1]! } });
    const revoked = performance.now();
    expect(await command.ended).toBe(255);
    expect(performance.now() - revoked).toBeLessThan(1_500);
  }, 30_000);

  it('nobody else brings a channel to a server', async () => {
    for (const path of [
      '/v1/relay/channels/chn_01m80qkhjte5xrtd7b2cgp0mz6',
      '/v1/agent/channels/chn_01m80qkhjte5xrtd7b2cgp0mz6',
    ]) {
      const socket = new WebSocket(urls[0]!.replace(/^http/, 'ws') + path, 'solyx.channel.v1', {
        headers: { authorization: `Bearer ${'x'.repeat(43)}` },
      });
      socket.on('error', () => {});
      const status = await new Promise((done) => {
        socket.once('unexpected-response', (_request, response) => done(response.statusCode));
        socket.once('open', () => done(101));
      });
      socket.terminate();
      expect([401, 404]).toContain(status);
    }
  }, 30_000);
});

describe('an agent that is not root', () => {
  const uid = 54_322;
  const isRoot = process.getuid?.() === 0;
  const home = mkdtempSync(join(tmpdir(), 'solyx-shell-'));
  const product = new Product({
    home,
    prefix: isRoot ? ['setpriv', '--reuid', `${uid}`, '--regid', `${uid}`, '--clear-groups'] : [],
    env: { XDG_CACHE_HOME: join(home, 'cache'), HOME: home },
  });
  let id = '';
  beforeAll(async () => {
    if (isRoot) chownSync(home, uid, uid);
    chmodSync(home, 0o700);
    await product.up();
    id = await startKeeper(product);
  }, 120_000);
  afterAll(() => product.dispose(), 90_000);

  it('enters the sandbox as the job’s user, with nothing more', async () => {
    const { stdout, stderr, code } = await product.run([
      ...['exec', id, '--', 'sh', '-c'],
      'job=$(pgrep -o -x sh); for p in $job self; do grep -E "^(Uid|Gid|CapPrm|CapEff|NoNewPrivs):" /proc/$p/status; ' +
        'for n in ipc mnt net pid user uts; do readlink /proc/$p/ns/$n; done; echo ====; done; unshare --user true; exit 5',
    ]);
    expect(code, stderr).toBe(5);
    const [job, own] = stdout.split('====\n');
    expect(own).toBe(job);
    expect(job).toMatch(/CapEff:\s+0000000000000000/);
    expect(stderr).toMatch(/unshare failed/);
  }, 30_000);

  it('forwards ports and copies files', async () => {
    const server = startCommand(product, [
      'exec',
      id,
      '--',
      'node',
      '-e',
      "require('http').createServer((q, r) => r.end('inside')).listen(80 * 100, '127.0.0.1', () => console.log('serving'))",
    ]);
    await until('it serves', () => server.stdout().includes('serving'));
    const forward = startCommand(product, ['port-forward', id, '0:8000']);
    await until('it listens', () => forward.stdout().includes('->'));
    const [, port] = /:(\d+) ->/.exec(forward.stdout())!;
    expect(await (await fetch(`http://127.0.0.1:${port}/`)).text()).toBe('inside');
    forward.child.kill('SIGINT');
    await forward.ended;
    server.child.kill('SIGKILL');
    const result = await product.run(['exec', '-i', id, '--', 'sh', '-c', 'cat > f; wc -c < f'], {
      input: 'x'.repeat(1000),
    });
    expect(result.stdout.trim()).toBe('1000');
    await product.ok(['cp', `${id}:f`, join(home, 'f')]);
    await product.ok(['cp', join(home, 'f'), `${id}:g`]);
    expect((await product.run(['exec', id, '--', 'cmp', 'f', 'g'])).code).toBe(0);
  }, 60_000);

  it('a session that the agent cannot end, because it was killed, is ended by the next', async () => {
    const command = startCommand(product, ['exec', id, '--', 'sh', '-c', 'echo open; exec sleep 1111']);
    await until('it is open', () => command.stdout().includes('open'));
    const { pid } = JSON.parse(readFileSync(join(home, 'agent', 'home.lock.json'), 'utf8')) as { pid: number };
    process.kill(pid, 'SIGKILL');
    expect(await command.ended).toBe(255);
    await until(
      'it is gone',
      async () => {
        const { code, stdout } = await product.run(['exec', id, '--', 'pgrep', '-a', 'sleep']);
        return code === 0 && stdout.includes('3600') && !stdout.includes('1111');
      },
      40_000,
    );
  }, 90_000);
});

describe('a job without isolation', () => {
  const product = new Product({ env: { SOLYX_NODE_ISOLATION: 'process', SOLYX_NODE_HOST_NETWORK: 'true' } });
  let id = '';
  beforeAll(async () => {
    await product.up();
    id = await startKeeper(product, { isolation: 'process', network: 'host' });
  }, 120_000);
  afterAll(() => product.dispose(), 90_000);

  it('is entered in its folder with its environment, and its exit code passes', async () => {
    const { code, stdout } = await product.run([
      'exec',
      id,
      '--',
      'sh',
      '-c',
      'echo "$GREETING"; basename "$PWD"; exit 6',
    ]);
    expect({ code, stdout }).toEqual({ code: 6, stdout: 'hello from the spec\nwork\n' });
  }, 30_000);

  it('what was started in it ends with its session and with the job', async () => {
    const command = startCommand(product, ['exec', id, '--', 'sh', '-c', 'echo open; exec sleep 2222']);
    await until('it is open', () => command.stdout().includes('open'));
    command.child.kill('SIGKILL');
    await until(
      'it is gone',
      async () => !(await product.run(['exec', id, '--', 'pgrep', '-a', 'sleep'])).stdout.includes('2222'),
    );
    await product.ok(['cancel', id]);
    await until(
      'it is over',
      async () => (await product.json<{ state: string }>(['job', id])).state === 'cancelled',
      30_000,
    );
  }, 60_000);
});

describe('a job in a container', () => {
  const product = new Product();
  const folder = mkdtempSync(join(tmpdir(), 'solyx-image-'));
  let id = '';
  beforeAll(async () => {
    if (noBusybox !== undefined) return;
    writeOciArchive(join(folder, 'app.tar'));
    await product.up();
    id = await startKeeper(product, { image: `oci-archive:${join(folder, 'app.tar')}` });
  }, 150_000);
  afterAll(async () => {
    if (noBusybox === undefined) await product.dispose();
    rmSync(folder, { recursive: true, force: true });
  }, 90_000);
  beforeEach(({ skip }) => {
    if (noBusybox !== undefined) skip(noBusybox);
  });

  it('is entered: the image’s files, the job’s environment, the exit code', async () => {
    const result = await product.run(
      ['exec', '-i', id, '--', 'sh', '-c', 'cat /etc/image; echo "$GREETING"; cat; exit 3'],
      {
        input: 'typed',
      },
    );
    expect(result).toEqual({ code: 3, stdout: 'made for a test\nhello from the spec\ntyped', stderr: '' });
  }, 60_000);

  it('files are copied in and out', async () => {
    writeFileSync(join(folder, 'in'), 'into the container');
    await product.ok(['cp', join(folder, 'in'), `${id}:/tmp/in`]);
    await product.ok(['cp', `${id}:/tmp/in`, join(folder, 'out')]);
    expect(readFileSync(join(folder, 'out'), 'utf8')).toBe('into the container');
    const refused = await product.run(['cp', join(folder, 'in'), `${id}:/etc/in`]);
    expect(refused.stderr).toMatch(/copy_refused/);
  }, 60_000);

  it('what an agent that was killed had started in it is ended by the next', async () => {
    const command = startCommand(product, ['exec', id, '--', 'sh', '-c', 'echo open; sleep 1313']);
    await until('it is open', () => command.stdout().includes('open'));
    const { pid } = JSON.parse(readFileSync(join(product.home, 'agent', 'home.lock.json'), 'utf8')) as { pid: number };
    process.kill(pid, 'SIGKILL');
    expect(await command.ended).toBe(255);
    await until(
      'it is gone',
      async () => {
        const { code, stdout } = await product.run(['exec', id, '--', 'ps']);
        return code === 0 && stdout.includes('3600') && !stdout.includes('1313');
      },
      40_000,
    );
  }, 90_000);

  it('ports of its own network are forwarded', async () => {
    const server = startCommand(product, [
      'exec',
      id,
      '--',
      'sh',
      '-c',
      'echo serving; while true; do echo inside | nc -l -p 8000 127.0.0.1; done',
    ]);
    await until('it serves', () => server.stdout().includes('serving'));
    const forward = startCommand(product, ['port-forward', id, '0:8000']);
    await until('it listens', () => forward.stdout().includes('->'));
    const [, port] = /:(\d+) ->/.exec(forward.stdout())!;
    await until('it answers', async () => {
      const socket = connect({ port: Number(port), host: '127.0.0.1' });
      socket.on('error', () => {});
      const text = await new Promise<string>((done) => {
        socket.once('data', (bytes) => done(bytes.toString()));
        socket.once('close', () => done(''));
      });
      socket.destroy();
      return text === 'inside\n';
    });
    forward.child.kill('SIGINT');
    await forward.ended;
    server.child.kill('SIGKILL');
    await server.ended;
    await until(
      'the server is gone',
      async () => !(await product.run(['exec', id, '--', 'ps'])).stdout.includes('8000'),
      10_000,
    );
  }, 60_000);
});
