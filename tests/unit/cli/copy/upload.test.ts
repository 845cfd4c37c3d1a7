import { mkdirSync, mkdtempSync, rmSync, truncateSync, writeFileSync } from 'node:fs';
import { createServer, type RequestListener, type Server } from 'node:http';
import type { AddressInfo } from 'node:net';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { afterEach, beforeEach, describe, expect, it, vi } from 'vitest';
import { upload } from '../../../../src/cli/copy/upload.ts';

let home = '';
let server: Server;
let answer: RequestListener;
beforeEach(async () => {
  home = mkdtempSync(join(tmpdir(), 'solyx-upload-'));
  server = createServer((request, response) => answer(request, response));
  await new Promise<void>((done) => server.listen(0, '127.0.0.1', done));
  vi.stubEnv('SOLYX_HOME', home);
  vi.stubEnv('SOLYX_URL', `http://127.0.0.1:${(server.address() as AddressInfo).port}`);
  vi.stubEnv('SOLYX_API_KEY', 'a key');
});
afterEach(async () => {
  vi.unstubAllEnvs();
  server.closeAllConnections();
  await new Promise((done) => server.close(done));
  rmSync(home, { recursive: true, force: true });
});

const place = { jobId: 'job_x', path: 'in' };

describe('a copy into a job', () => {
  it('of a file that shrinks meanwhile is refused, and says of what', async () => {
    const large = join(home, 'folder', 'large');
    mkdirSync(join(home, 'folder'));
    writeFileSync(large, '');
    truncateSync(large, 200_000_000);
    answer = (request) => {
      let seen = 0;
      request.on('error', () => {});
      request.on('data', (bytes: Buffer) => {
        seen += bytes.length;
        // It is being read by now, and most of it is not.
        if (seen > 1_000_000) truncateSync(large, 1000);
      });
    };
    await expect(upload(join(home, 'folder'), place)).rejects.toMatchObject({
      code: 'copy_refused',
      message: expect.stringMatching(/folder cannot be read: .*unexpected EOF/),
    });
  });

  it('that the server refuses is refused in its words', async () => {
    mkdirSync(join(home, 'folder'));
    writeFileSync(join(home, 'folder', 'large'), '');
    truncateSync(join(home, 'folder', 'large'), 200_000_000);
    answer = (request, response) => {
      request.once('data', () => {
        response.writeHead(422, { 'content-type': 'application/problem+json' });
        response.end(JSON.stringify({ code: 'copy_refused', title: 'refused', status: 422, detail: 'For a reason.' }));
      });
    };
    await expect(upload(join(home, 'folder'), place)).rejects.toMatchObject({
      code: 'copy_refused',
      message: expect.stringContaining('For a reason'),
    });
  });
});
