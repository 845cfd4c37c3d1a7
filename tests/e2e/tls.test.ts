/** The product over TLS by a certificate of its own authority: browsers' rules, clients that verify, renewal, refusals. */
import { execFileSync } from 'node:child_process';
import { copyFileSync, mkdtempSync, renameSync, rmSync, writeFileSync } from 'node:fs';
import { request } from 'node:https';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { connect, type PeerCertificate } from 'node:tls';
import { afterAll, beforeAll, describe, expect, it } from 'vitest';
import { type NodeAgent, startNodeAgent } from '../support/node-agent.ts';
import { Product } from '../support/product.ts';
import { until } from '../support/until.ts';

const folder = mkdtempSync(join(tmpdir(), 'solyx-tls-'));
const at = (name: string) => join(folder, name);
const openssl = (...words: string[]) => execFileSync('openssl', words, { cwd: folder, stdio: 'pipe' });

/** Makes NAME.crt and NAME.key for localhost and 127.0.0.1, signed by the test's authority. */
function makeCertificate(name: string): void {
  openssl(
    'req',
    '-newkey',
    'rsa:2048',
    '-nodes',
    '-keyout',
    `${name}.key`,
    '-out',
    `${name}.csr`,
    '-subj',
    `/CN=${name}`,
  );
  writeFileSync(at(`${name}.ext`), 'subjectAltName=DNS:localhost,IP:127.0.0.1\n');
  const ca = ['-CA', 'ca.crt', '-CAkey', 'ca.key', '-CAcreateserial'];
  openssl('x509', '-req', '-in', `${name}.csr`, ...ca, '-days', '2', '-extfile', `${name}.ext`, '-out', `${name}.crt`);
}

/** Replaces the served files as a renewal does. */
function install(name: string): void {
  for (const kind of ['crt', 'key']) {
    copyFileSync(at(`${name}.${kind}`), at(`next.${kind}`));
    renameSync(at(`next.${kind}`), at(`served.${kind}`));
  }
}

const agents: NodeAgent[] = [];
let product: Product;
let url: string;

beforeAll(async () => {
  openssl(
    'req',
    '-x509',
    '-newkey',
    'rsa:2048',
    '-nodes',
    '-keyout',
    'ca.key',
    '-out',
    'ca.crt',
    '-days',
    '2',
    '-subj',
    '/CN=test authority',
  );
  makeCertificate('first');
  makeCertificate('second');
  install('first');
  product = new Product({
    env: { SOLYX_SERVER_TLS_CERTIFICATE: at('served.crt'), SOLYX_SERVER_TLS_KEY: at('served.key') },
  });
  url = await product.up(['--host', '0.0.0.0']);
}, 120_000);
afterAll(async () => {
  for (const { child } of agents) child.kill('SIGKILL');
  await product.dispose();
  rmSync(folder, { recursive: true, force: true });
});

const port = () => Number(new URL(url).port);
const remote = (extra: Record<string, string> = {}) => ({
  SOLYX_HOME: at('elsewhere'),
  SOLYX_URL: `https://localhost:${port()}`,
  ...extra,
});

function handshake(options: { minVersion?: 'TLSv1.2'; maxVersion?: 'TLSv1.1' | 'TLSv1.2' }): Promise<PeerCertificate> {
  return new Promise((resolve, reject) => {
    const socket = connect({ port: port(), host: '127.0.0.1', rejectUnauthorized: false, ...options }, () => {
      resolve(socket.getPeerCertificate());
      socket.destroy();
    });
    socket.once('error', reject);
  });
}

async function adminKey(): Promise<string> {
  const { readFileSync } = await import('node:fs');
  return readFileSync(join(product.home, 'admin.key'), 'utf8').trim();
}

describe('a server with a certificate', () => {
  it('says that it serves https, tells browsers to stay there, and answers nothing plainly', async () => {
    expect(url).toMatch(/^https:\/\/0\.0\.0\.0:\d+$/);
    const headers = await new Promise<Record<string, unknown>>((resolve, reject) => {
      request({ port: port(), host: '127.0.0.1', path: '/healthz', rejectUnauthorized: false }, (response) => {
        response.resume();
        resolve(response.headers);
      })
        .once('error', reject)
        .end();
    });
    expect(headers['strict-transport-security']).toMatch(/max-age=31536000/);
    await expect(fetch(`http://127.0.0.1:${port()}/healthz`)).rejects.toThrow();
  });

  it('signs browsers in with a cookie that goes to it alone', async () => {
    const body = JSON.stringify({ key: await adminKey() });
    const origin = `https://localhost:${port()}`;
    const asked = {
      host: `localhost:${port()}`,
      origin,
      'sec-fetch-site': 'same-origin',
      'content-type': 'application/json',
    };
    const cookie = await new Promise<string>((resolve, reject) => {
      const to = { port: port(), host: '127.0.0.1', path: '/v1/sessions', method: 'POST', rejectUnauthorized: false };
      request({ ...to, headers: asked }, (response) => {
        response.resume();
        resolve(String(response.headers['set-cookie']));
      })
        .once('error', reject)
        .end(body);
    });
    expect(cookie).toMatch(/^__Host-solyx=sx_session_[^;]+; Path=\/; Expires=[^;]+; HttpOnly; Secure; SameSite=Lax$/);
  });

  it('speaks no TLS older than 1.2', async () => {
    expect((await handshake({ maxVersion: 'TLSv1.2' })).subject.CN).toBe('first');
    await expect(handshake({ minVersion: undefined as never, maxVersion: 'TLSv1.1' })).rejects.toThrow();
  });

  it('is used by command line and agent of its own machine, and jobs run', async () => {
    const { id } = await product.json<{ id: string }>(['submit', '-'], {
      input: JSON.stringify({ name: 'over-tls', command: ['true'] }),
    });
    await until('the job succeeds', async () => (await product.ok(['job', id])).includes('succeeded'), 60_000);
  }, 90_000);

  it('is verified by command lines elsewhere: refused without its authority, used with it', async () => {
    const key = { SOLYX_API_KEY: await adminKey() };
    const blind = await product.run(['jobs'], { env: remote(key) });
    expect(blind.code).toBe(3);
    expect(blind.stderr).toMatch(/server_unreachable.*(UNABLE_TO|SELF_SIGNED|certificate)/);
    const trusting = await product.run(['jobs'], { env: remote({ ...key, SOLYX_CA_FILE: at('ca.crt') }) });
    expect(trusting.stderr).not.toContain('server_unreachable');
    expect(trusting.code).toBe(0);
    const byNode = await product.run(['jobs'], { env: remote({ ...key, NODE_EXTRA_CA_CERTS: at('ca.crt') }) });
    expect(byNode.code).toBe(0);
    const nonsense = await product.run(['jobs'], { env: remote({ ...key, SOLYX_CA_FILE: at('first.key') }) });
    expect(nonsense.stderr).toContain('SOLYX_CA_FILE');
  });

  it('is verified by agents elsewhere: refused without its authority, joined with it', async () => {
    const token = await product.ok(['keys', 'create', '--name', 'far', '--kind', 'join', '--uses', '2']);
    const address = `https://localhost:${port()}`;
    const blind = startNodeAgent({ url: address, token, dataDir: at('blind'), name: 'blind' });
    agents.push(blind);
    const far = startNodeAgent({
      url: address,
      token,
      dataDir: at('far'),
      name: 'far',
      env: { SOLYX_CA_FILE: at('ca.crt') },
    });
    agents.push(far);
    const names = async () =>
      (await product.json<{ items: { name: string }[] }>(['nodes', '--presence', 'ready'])).items.map(
        ({ name }) => name,
      );
    await until('the one that trusts is ready', async () => (await names()).includes('far'), 30_000);
    await until('the other one says why', () => /certificate/.test(blind.words()), 30_000);
    expect(await names()).not.toContain('blind');
  }, 90_000);

  it('serves a renewed certificate without a restart, and keeps the old one when the new one is wrong', async () => {
    copyFileSync(at('second.crt'), at('served.crt'));
    await until('the mismatch is said', () =>
      product.log('control-plane').includes('the new certificate cannot be used'),
    );
    expect((await handshake({})).subject.CN).toBe('first');
    install('second');
    await until('the second is served', async () => (await handshake({})).subject.CN === 'second');
  });
});

describe('a start', () => {
  const refusal = async (env: Record<string, string>, ...args: string[]) => {
    const other = new Product({ env });
    const result = await other.run(['up', '--port', '0', '--no-node', ...args]);
    rmSync(other.home, { recursive: true, force: true });
    return result;
  };

  it('is refused on an address of the network without TLS, with what would be right', async () => {
    const result = await refusal({}, '--host', '0.0.0.0');
    expect(result.code).toBe(2);
    expect(result.stderr).toContain('server.tlsCertificate');
    expect(result.stderr).toContain('server.plainHttp');
  });

  it('is refused with a key of another certificate, with half of the two, and with none that can be read', async () => {
    const certificate = { SOLYX_SERVER_TLS_CERTIFICATE: at('first.crt') };
    expect((await refusal({ ...certificate, SOLYX_SERVER_TLS_KEY: at('second.key') })).stderr).toContain(
      'is not the key of',
    );
    expect((await refusal(certificate)).stderr).toContain('go together');
    expect((await refusal({ ...certificate, SOLYX_SERVER_TLS_KEY: at('nothing') })).stderr).toContain('ENOENT');
  });
});
