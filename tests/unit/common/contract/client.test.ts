import { createServer, type RequestListener, type Server } from 'node:http';
import { afterEach, describe, expect, it } from 'vitest';
import { createClient } from '../../../../src/common/contract/client.ts';
import { YamlBody } from '../../../../src/common/contract/client-request.ts';
import { endpoints } from '../../../../src/common/contract/endpoints.ts';
import { routes } from '../../../../src/common/contract/routes/index.ts';
import { SolyxError, toProblem } from '../../../../src/common/errors/index.ts';
import { importsOf, targetOf } from '../../../architecture/support/sources.ts';

const servers: Server[] = [];
afterEach(() => {
  for (const server of servers.splice(0)) {
    server.closeAllConnections();
    server.close();
  }
});

async function serve(listener: RequestListener): Promise<string> {
  const server = createServer(listener);
  servers.push(server);
  await new Promise<void>((resolve) => server.listen(0, '127.0.0.1', resolve));
  return `http://127.0.0.1:${(server.address() as { port: number }).port}`;
}

const problem = (code: 'not_ready' | 'not_found') => JSON.stringify(toProblem(new SolyxError(code, 'so it is')));

describe('the client', () => {
  it('knows every endpoint of the contract table and loads no zod', () => {
    expect(Object.keys(endpoints).sort()).toEqual(Object.keys(routes).sort());
    const reached = new Set(['src/common/contract/client.ts']);
    const packages = new Set<string>();
    for (const file of reached) {
      for (const { specifier, typeOnly } of importsOf(file)) {
        const target = targetOf(file, specifier);
        if (typeOnly) continue;
        if (target) reached.add(target);
        else packages.add(specifier);
      }
    }
    expect([...packages].filter((name) => !name.startsWith('node:'))).toEqual([]);
  });

  it('fills path and query, and sends YAML as it was written', async () => {
    const seen: unknown[] = [];
    const url = await serve((request, response) => {
      let body = '';
      request.on('data', (data) => {
        body += data;
      });
      request.on('end', () => {
        seen.push([request.method, request.url, request.headers['content-type'], body]);
        response.setHeader('content-type', 'application/json').end('{}');
      });
    });
    const client = createClient({ url: `${url}/`, apiKey: 'k' });
    await client.listJobs({ query: { state: ['queued', 'running'], limit: 5 } });
    await client.getJob({ params: { id: 'a/b' } });
    await client.submitJob({ body: new YamlBody('name: x'), query: { dryRun: true } });
    expect(seen).toEqual([
      ['GET', '/v1/jobs?state=queued&state=running&limit=5', undefined, ''],
      ['GET', '/v1/jobs/a%2Fb', undefined, ''],
      ['POST', '/v1/jobs?dryRun=true', 'application/yaml', 'name: x'],
    ]);
  });

  it('repeats a submission with the same Idempotency-Key until it is answered', async () => {
    const keys: unknown[] = [];
    const url = await serve((request, response) => {
      keys.push(request.headers['idempotency-key']);
      if (keys.length === 1) request.socket.destroy();
      else if (keys.length === 2)
        response.writeHead(503, { 'content-type': 'application/problem+json' }).end(problem('not_ready'));
      else response.writeHead(201, { 'content-type': 'application/json' }).end('{"id":"job"}');
    });
    const answer = await createClient({ url }).submitJob({ body: { name: 'x', command: 'true' } });
    expect(answer).toEqual({ id: 'job' });
    expect(keys).toHaveLength(3);
    expect(new Set(keys).size).toBe(1);
  });

  it('does not repeat what may have had an effect', async () => {
    let asked = 0;
    const url = await serve((_request, response) => {
      asked += 1;
      response.writeHead(503, { 'content-type': 'application/problem+json' }).end(problem('not_ready'));
    });
    await expect(createClient({ url }).createProject({ body: { name: 'x' } })).rejects.toMatchObject({
      code: 'not_ready',
    });
    expect(asked).toBe(1);
  });

  it('turns problems into errors with code and detail, and strangers’ answers into codes by status', async () => {
    const url = await serve((request, response) => {
      if (request.url?.includes('whoami')) response.writeHead(502).end('<html>bad gateway</html>');
      else response.writeHead(404, { 'content-type': 'application/problem+json' }).end(problem('not_found'));
    });
    const client = createClient({ url, retries: 0 });
    await expect(client.getJob({ params: { id: 'x' } })).rejects.toMatchObject({
      code: 'not_found',
      detail: 'so it is',
    });
    await expect(client.whoami()).rejects.toMatchObject({ code: 'server_unreachable' });
  });

  it('says that nobody answers, also when a server takes too long', async () => {
    const url = await serve(() => {});
    await expect(createClient({ url, timeoutSeconds: 0.1 }).whoami()).rejects.toMatchObject({
      code: 'server_unreachable',
    });
    await expect(createClient({ url: 'http://127.0.0.1:1', retries: 0 }).whoami()).rejects.toMatchObject({
      code: 'server_unreachable',
    });
  });
});
