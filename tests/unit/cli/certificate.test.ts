import { execFileSync } from 'node:child_process';
import { mkdtempSync, rmSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { afterAll, beforeAll, describe, expect, it } from 'vitest';
import { checkCertificate } from '../../../src/cli/doctor/certificate.ts';
import type { Patient } from '../../../src/cli/doctor/check.ts';

const folder = mkdtempSync(join(tmpdir(), 'solyx-certificate-'));
const at = (name: string) => join(folder, name);
beforeAll(() => {
  for (const [name, days] of Object.entries({ long: '90', short: '2' })) {
    const files = ['-keyout', at(`${name}.key`), '-out', at(`${name}.crt`), '-days', days, '-subj', '/CN=x'];
    const kind = ['-newkey', 'ec', '-pkeyopt', 'ec_paramgen_curve:prime256v1', '-nodes'];
    execFileSync('openssl', ['req', '-x509', ...kind, ...files], { stdio: 'pipe' });
  }
});
afterAll(() => rmSync(folder, { recursive: true, force: true }));

const look = (tlsCertificate?: string, tlsKey?: string) =>
  checkCertificate({ config: { server: { tlsCertificate, tlsKey } } } as Patient);

describe('the certificate, as doctor sees it', () => {
  it('is none of its business where there is none', async () => {
    expect(await look()).toEqual([]);
  });

  it('is good, or soon at its end', async () => {
    expect(await look(at('long.crt'), at('long.key'))).toMatchObject([{ verdict: 'ok' }]);
    expect(await look(at('short.crt'), at('short.key'))).toMatchObject([
      { verdict: 'warning', cure: expect.stringContaining(at('short.crt')) },
    ]);
  });

  it('is named when it is missing, or is not that of its key', async () => {
    const expected = (words: string) => [{ verdict: 'failed', found: expect.stringContaining(words) }];
    expect(await look(at('none.crt'), at('long.key'))).toMatchObject(expected('server.tlsCertificate'));
    expect(await look(at('long.crt'), at('short.key'))).toMatchObject(expected('is not the key of'));
  });
});
