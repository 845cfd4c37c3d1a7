/** An operator asks what is wrong, and sends somebody a bundle that tells no secret. */
import { execFileSync } from 'node:child_process';
import {
  appendFileSync,
  chmodSync,
  existsSync,
  mkdtempSync,
  readdirSync,
  readFileSync,
  rmSync,
  statSync,
  writeFileSync,
} from 'node:fs';
import { type AddressInfo, createServer, type Socket } from 'node:net';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { afterAll, beforeAll, describe, expect, it } from 'vitest';
import { makeKey } from '../../src/common/keys.ts';
import { Product } from '../support/product.ts';
import { until } from '../support/until.ts';

interface Finding {
  check: string;
  verdict: string;
  found: string;
  cure?: string;
}

const product = new Product();
const folder = mkdtempSync(join(tmpdir(), 'solyx-operating-'));
let url = '';

beforeAll(async () => {
  // As a folder is that somebody made beforehand.
  chmodSync(product.home, 0o755);
  url = await product.up();
}, 90_000);
afterAll(async () => {
  await product.dispose();
  rmSync(folder, { recursive: true, force: true });
}, 90_000);

const diagnose = async () => (await product.json<{ items: Finding[] }>(['doctor'])).items;
const of = (findings: Finding[], check: string) => findings.filter((finding) => finding.check === check);

it('closes its data directory to others when it starts', async () => {
  expect(statSync(product.home).mode & 0o777).toBe(0o700);
  expect(product.output).toContain(`${product.home} was open to others (mode 755)`);
});

describe('solyx doctor', () => {
  it('names a data directory that others can read, and does not say to close one with foreign files', async () => {
    chmodSync(product.home, 0o755);
    expect(of(await diagnose(), 'home')[0]).toMatchObject({ verdict: 'warning', cure: `chmod 700 ${product.home}` });
    writeFileSync(join(product.home, 'thesis.tex'), '');
    const [finding] = of(await diagnose(), 'home');
    rmSync(join(product.home, 'thesis.tex'));
    chmodSync(product.home, 0o700);
    expect(finding).toMatchObject({ verdict: 'warning', found: expect.stringContaining('thesis.tex') });
    expect(finding!.cure).not.toContain('chmod');
  }, 60_000);

  it('finds nothing wrong with an installation that works', async () => {
    await until('the node is ready', async () => (await product.ok(['nodes'])).includes('ready'), 30_000);
    const result = await product.run(['doctor', '--json']);
    const { items } = JSON.parse(result.stdout) as { items: Finding[] };
    expect(items.filter(({ verdict }) => verdict === 'failed')).toEqual([]);
    expect(result.code).toBe(0);
    expect(of(items, 'control-plane')[0]!.found).toContain(url);
    for (const check of ['database', 'agent', 'fleet', 'disk.free']) {
      expect(of(items, check)[0]?.verdict, check).toMatch(/ok|warning/);
    }
  }, 60_000);

  it('names a key file that others can read, and the cure', async () => {
    const file = join(product.home, 'admin.key');
    chmodSync(file, 0o644);
    const [finding] = of(await diagnose(), 'home.private');
    chmodSync(file, 0o600);
    expect(finding).toMatchObject({ verdict: 'failed', cure: expect.stringContaining(`chmod 600 ${file}`) });
  }, 60_000);

  it('names a key file of the secret store that is not that of the database, and one that is gone', async () => {
    await product.ok(['secrets', 'set', 'sealed'], { input: 'by the key' });
    const file = join(product.home, 'secrets.key');
    const right = readFileSync(file);
    expect(of(await diagnose(), 'secrets.key')).toMatchObject([{ verdict: 'ok' }]);
    writeFileSync(file, `solyx-kek-1 ${'ab'.repeat(32)}\n`);
    const strange = of(await diagnose(), 'secrets.key');
    rmSync(file);
    const gone = of(await diagnose(), 'secrets.key');
    writeFileSync(file, right, { mode: 0o600 });
    expect(strange).toMatchObject([{ verdict: 'failed', found: expect.stringContaining('is not in it') }]);
    expect(gone).toMatchObject([{ verdict: 'failed', cure: expect.stringContaining(file) }]);
  }, 60_000);

  it('names a port that somebody else has', async () => {
    const { port } = new URL(url);
    const env = { SOLYX_HOME: join(folder, 'nobody'), SOLYX_SERVER_PORT: port };
    const { items } = JSON.parse((await product.run(['doctor', '--json'], { env })).stdout) as { items: Finding[] };
    expect(of(items, 'control-plane.port')).toMatchObject([
      {
        verdict: 'failed',
        found: expect.stringContaining(`127.0.0.1:${port}`),
        cure: expect.stringContaining('--port'),
      },
    ]);
  }, 60_000);

  it('says of a server that takes connections and never answers that it does not, and is done then', async () => {
    const held = new Set<Socket>();
    const mute = createServer((socket) => void held.add(socket.on('error', () => undefined)));
    await new Promise<void>((resolve) => mute.listen(0, '127.0.0.1', resolve));
    const { port } = mute.address() as AddressInfo;
    const env = { SOLYX_URL: `http://127.0.0.1:${port}`, SOLYX_API_KEY: makeKey('api').text };
    const began = performance.now();
    const { stdout } = await product.run(['doctor', '--json'], { env });
    const tookMs = performance.now() - began;
    for (const socket of held) socket.destroy();
    mute.close();
    const { items } = JSON.parse(stdout) as { items: Finding[] };
    for (const check of ['control-plane', 'jobs'])
      expect(of(items, check), check).toMatchObject([{ verdict: 'failed' }]);
    // Twenty seconds of patience for all together, and what the machine takes besides.
    expect(tookMs).toBeLessThan(50_000);
  }, 90_000);

  it('names a node that takes no work, and the command that changes it', async () => {
    const { items } = await product.json<{ items: { id: string }[] }>(['nodes']);
    await product.ok(['nodes', 'cordon', items[0]!.id]);
    const findings = await diagnose();
    await product.ok(['nodes', 'uncordon', items[0]!.id]);
    expect(of(findings, 'fleet')[0]).toMatchObject({ verdict: 'failed' });
    expect(of(findings, 'fleet.node')[0]).toMatchObject({ cure: `solyx nodes uncordon ${items[0]!.id}` });
  }, 60_000);

  it('names a mistake in the configuration, and goes on with the rest', async () => {
    const result = await product.run(['doctor', '--json'], { env: { SOLYX_SERVER_PORT: 'many' } });
    const { items } = JSON.parse(result.stdout) as { items: Finding[] };
    expect(of(items, 'config')[0]).toMatchObject({ verdict: 'failed', found: expect.stringContaining('port') });
    expect(of(items, 'control-plane')[0]!.verdict).toBe('ok');
    expect(result.code).toBe(1);
  }, 60_000);
});

describe('solyx support-bundle', () => {
  it('holds logs, findings and states, and no secret that was in any of them', async () => {
    const key = makeKey('api').text;
    const log = join(product.home, 'logs', 'control-plane.log');
    appendFileSync(log, `{"level":30,"msg":"header authorization: Bearer ${key} and password=correct-horse"}\n`);
    await product.ok(['submit', '-'], {
      input: JSON.stringify({ name: 'private-name', command: 'true', env: { WORD: 'battery-staple' } }),
    });
    const file = join(folder, 'bundle.tar.gz');
    await product.ok(['support-bundle', file]);
    execFileSync('tar', ['xzf', file, '-C', folder]);
    expect(readdirSync(folder).sort()).toEqual([
      'bundle.tar.gz',
      'config.json',
      'doctor.json',
      'jobs.json',
      'logs',
      'machine.json',
      'metrics.txt',
      'nodes.json',
      'sites.json',
    ]);
    const everything = execFileSync('grep', ['-rhv', '^$', folder, '--exclude=bundle.tar.gz'], {
      encoding: 'utf8',
      maxBuffer: 2 ** 28,
    });
    const admin = readFileSync(join(product.home, 'admin.key'), 'utf8').trim();
    for (const secret of [key, admin, 'correct-horse', 'battery-staple', 'private-name']) {
      expect(everything.includes(secret), secret).toBe(false);
    }
    expect(everything).toContain('solyx_');
    expect(everything).toContain('a node connected');
  }, 60_000);

  it('is written also when nothing runs, and replaces no file', async () => {
    const file = join(folder, 'again.tar.gz');
    const env = { SOLYX_HOME: join(folder, 'empty') };
    expect((await product.run(['support-bundle', file], { env })).code).toBe(0);
    expect(existsSync(file)).toBe(true);
    const again = await product.run(['support-bundle', file, '--json'], { env });
    expect(JSON.parse(again.stdout).error.code).toBe('already_exists');
  }, 60_000);
});

describe('completion in a real bash', () => {
  it('completes commands and ids', async () => {
    const id = await product.ok(['submit', '-'], { input: JSON.stringify({ name: 'completes', command: 'true' }) });
    const script = `
      solyx() { "$NODE" "$SOLYX" "$@"; }
      source <(solyx completion bash)
      COMP_WORDS=(solyx su); COMP_CWORD=1; _solyx; echo "\${COMPREPLY[*]}"
      COMP_WORDS=(solyx job ${id.slice(0, -2)}); COMP_CWORD=2; _solyx; echo "\${COMPREPLY[*]}"`;
    const output = execFileSync('bash', ['-c', script], {
      encoding: 'utf8',
      env: {
        ...process.env,
        SOLYX_HOME: product.home,
        NODE: process.execPath,
        SOLYX: join(import.meta.dirname, '../../bin/solyx.mjs'),
      },
    });
    const [commands, ids] = output.trim().split('\n');
    expect(commands!.split(' ')).toContain('submit');
    expect(ids).toContain(id);
  }, 60_000);
});
