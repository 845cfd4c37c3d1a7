/** What a start and a client answer to bad input; none of it may leave anything running. */
import { mkdtempSync, rmSync, writeFileSync } from 'node:fs';
import { createServer, type Server } from 'node:http';
import type { AddressInfo } from 'node:net';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { afterAll, beforeAll, describe, expect, it } from 'vitest';
import { Product, processesOf } from '../support/product.ts';

const folder = mkdtempSync(join(tmpdir(), 'solyx-refusals-'));
const product = new Product({ home: join(folder, 'home') });
let taken: Server;
const requests: string[] = [];

beforeAll(async () => {
  taken = createServer((request, response) => {
    requests.push(`${request.url} ${request.headers.authorization}`);
    response.end('{}');
  });
  await new Promise<void>((ready) => taken.listen(0, '127.0.0.1', ready));
});
afterAll(() => {
  taken.close();
  rmSync(folder, { recursive: true, force: true });
});

const port = () => (taken.address() as AddressInfo).port;
const config = (text: string) => {
  const file = join(folder, 'solyx.yaml');
  writeFileSync(file, text);
  return file;
};

describe('a start that cannot be', () => {
  it('a port that is taken is refused before anything is started', async () => {
    const result = await product.run(['up', '--port', String(port()), '--json']);
    expect(result.code).toBe(1);
    expect(JSON.parse(result.stdout).error).toMatchObject({ code: 'port_in_use' });
    expect(result.stderr).toContain('--port N');
    expect(processesOf(product.home)).toEqual([]);
  });

  it.each([
    ['an unknown key', 'server:\n  prot: 8080\n', 'server.prot: is not known; did you mean server.port?'],
    ['YAML that cannot be parsed', 'server:\n  port: [80\n', /solyx\.yaml, line \d+, column \d+: /],
    ['a value out of its range', 'server:\n  port: 70000\n', 'server.port: '],
  ])('%s is refused, by up as by config check', async (_, text, words) => {
    const file = config(text);
    for (const command of [
      ['up', '--config', file],
      ['config', 'check', '--config', file],
    ]) {
      const result = await product.run(command);
      expect(result.code, command.join(' ')).toBe(2);
      expect(result.stderr).toMatch(words instanceof RegExp ? words : new RegExp(words.replace(/[.?]/g, '\\$&')));
    }
  });

  it('an address that this machine does not have is named', async () => {
    const env = { SOLYX_SERVER_PLAIN_HTTP: 'true' };
    const result = await product.run(['up', '--host', '203.0.113.7', '--port', '0'], { env });
    expect(result.code).toBe(2);
    expect(result.stderr).toContain('This machine has no address 203.0.113.7');
  });
});

describe('a client without a server', () => {
  it('says what to do, with a code of its own', async () => {
    const result = await product.run(['jobs', '--json']);
    expect(result.code).toBe(3);
    expect(JSON.parse(result.stdout).error.code).toBe('server_unreachable');
    expect(result.stderr).toContain('npm start');
  });

  it('sends no key to whatever took over the port of a server that has ended', async () => {
    const url = `http://127.0.0.1:${port()}`;
    writeFileSync(join(product.home, 'admin.key'), 'sx_live_secret');
    writeFileSync(
      join(product.home, 'server.json'),
      JSON.stringify({ url, pid: 999_999_999, startTicks: '1', version: '0' }),
    );
    expect((await product.run(['jobs'])).code).toBe(3);
    expect(requests).toEqual([]);
  });

  it('wants a key of its own for a server elsewhere', async () => {
    const result = await product.run(['jobs'], { env: { SOLYX_URL: 'https://solyx.example.net' } });
    expect(result.code).toBe(1);
    expect(result.stderr).toContain('set SOLYX_API_KEY');
  });
});
