import { execFileSync } from 'node:child_process';
import { existsSync, mkdtempSync, readFileSync, rmSync, statSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { PassThrough, Readable } from 'node:stream';
import { afterAll, describe, expect, it } from 'vitest';
import {
  insideSecrets,
  removeSecretFiles,
  secretFileLines,
  secretsDirectory,
  secretsTmpfsBytes,
  writeSecretFiles,
} from '../../../../src/metapod/agent/isolation/secret-files.ts';
import { LogWriter } from '../../../../src/metapod/agent/supervisor/log-writer.ts';
import {
  encodeSecrets,
  hasSecrets,
  masksOf,
  noSecrets,
  readSecretInput,
} from '../../../../src/metapod/agent/supervisor/secret-input.ts';

const folder = mkdtempSync(join(tmpdir(), 'solyx-secret-files-'));
afterAll(() => rmSync(folder, { recursive: true, force: true }));

const everyByte = Buffer.from(Array.from({ length: 256 }, (_, byte) => byte));
const secrets = { env: { TOKEN: "it's\n$(id) `x`" }, files: [{ name: 'token', content: everyByte }] };

describe('secrets on the supervisor’s standard input', () => {
  it('arrive as they were sent, however they are cut into pieces', async () => {
    const bytes = Buffer.from(encodeSecrets(secrets));
    const pieces = Array.from({ length: Math.ceil(bytes.length / 7) }, (_, n) => bytes.subarray(n * 7, n * 7 + 7));
    expect(await readSecretInput(Readable.from(pieces))).toEqual(secrets);
  });

  it('are none at all when the agent died in the middle, at any byte', async () => {
    const bytes = Buffer.from(encodeSecrets(secrets));
    for (let end = 0; end < bytes.length; end += 13) {
      expect(await readSecretInput(Readable.from([bytes.subarray(0, end)])), String(end)).toBeUndefined();
    }
    const torn = new PassThrough();
    torn.write(bytes.subarray(0, 10));
    torn.destroy(new Error('reset'));
    expect(await readSecretInput(torn)).toBeUndefined();
  });

  it('need no pipe where there are none', () => {
    expect(hasSecrets(noSecrets)).toBe(false);
    expect(hasSecrets(secrets)).toBe(true);
  });
});

describe('secrets as files', () => {
  const shells = ['/bin/sh', '/bin/bash', '/bin/busybox'].filter((shell) => existsSync(shell));

  it.each(shells)('are written byte for byte, mode 0400, by the script that %s reads', (shell) => {
    const own = join(folder, shell.replaceAll('/', '-'));
    const lines = secretFileLines(secrets.files).map((line) => line.replaceAll(insideSecrets, own));
    const script = [`mkdir -p '${own}'`, ...lines, 'umask'].join('\n');
    const words = shell.endsWith('busybox') ? ['sh', '-s'] : ['-s'];
    const umask = execFileSync(shell, words, {
      input: script,
      encoding: 'utf8',
      stdio: ['pipe', 'pipe', 'inherit', 'ignore'],
    });
    expect(readFileSync(join(own, 'token')).equals(everyByte)).toBe(true);
    expect(statSync(join(own, 'token')).mode & 0o777).toBe(0o400);
    // The job's own umask is not touched.
    expect(Number.parseInt(umask, 8)).toBe(process.umask());
  });

  it('fit into the tmpfs that is made for them', () => {
    const files = Array.from({ length: 64 }, (_, n) => ({ name: `f${n}`, content: Buffer.alloc(4097) }));
    expect(secretsTmpfsBytes(files)).toBeGreaterThanOrEqual(64 * 2 * 4096);
  });

  it('lie in memory under 0700 and 0400 where a job has no mounts of its own, and go again', () => {
    const directory = secretsDirectory(`att_test${process.pid}`, 0);
    writeSecretFiles(directory, secrets.files);
    expect(directory).toMatch(/^\/dev\/shm\//);
    expect(statSync(directory).mode & 0o777).toBe(0o700);
    expect(statSync(join(directory, 'token')).mode & 0o777).toBe(0o400);
    writeSecretFiles(directory, [{ name: 'other', content: Buffer.from('x') }]);
    expect(existsSync(join(directory, 'token'))).toBe(false);
    removeSecretFiles(directory);
    expect(existsSync(directory)).toBe(false);
    removeSecretFiles(directory);
  });
});

describe('a log', () => {
  it('shows *** where a secret was printed as it is, and leaves short words alone', () => {
    const given = {
      env: { A: 'long-enough-secret', B: 'the' },
      files: [{ name: 'k', content: Buffer.from('line one of it\nshort\n') }],
    };
    const path = join(folder, 'log.ndjson');
    const log = new LogWriter(path, undefined, masksOf(given));
    log.push('out', Buffer.from('token=long-enough-secret;the end\nline one of it\nshort\n'), 1);
    log.flush(2, 0);
    const lines = readFileSync(path, 'utf8')
      .trim()
      .split('\n')
      .map((line) => JSON.parse(line).d);
    expect(lines).toEqual(['token=***;the end', '***', 'short']);
  });
});
