/**
 * Everything that /openapi.json says may be sent, and much that it does not, is sent to a real server: no answer may be a
 * server error, and every answer has the form that the document promises.
 *
 * Minutes of work, so only in CI (or with SOLYX_FUZZ=1); the seed is fixed, and a failing request is printed as curl.
 */
import { execFile, execFileSync } from 'node:child_process';
import { existsSync, readFileSync } from 'node:fs';
import { join, resolve } from 'node:path';
import { afterAll, beforeAll, describe, expect, it } from 'vitest';
import { Product } from '../support/product.ts';

const install = resolve(import.meta.dirname, '../../tools/setup/install.sh');
const fuzzer = execFileSync('bash', [install, '--path', 'schemathesis'], { encoding: 'utf8' }).trim();
const wanted = process.env.CI === 'true' || process.env.SOLYX_FUZZ === '1';
const why = !wanted
  ? 'it takes minutes; CI runs it (or SOLYX_FUZZ=1)'
  : existsSync(fuzzer)
    ? undefined
    : 'schemathesis is absent (tools/setup/install.sh --with-test-services)';
if (why !== undefined) process.stderr.write(`the API is not fuzzed: ${why}\n`);

describe.skipIf(why !== undefined)('the API under a fuzzer', () => {
  const product = new Product();
  let url = '';
  beforeAll(async () => {
    url = await product.up(['--no-node']);
  }, 90_000);
  afterAll(() => product.dispose(), 90_000);

  it('answers nothing with a server error, and all in the form that it promises', async () => {
    const key = readFileSync(join(product.home, 'admin.key'), 'utf8').trim();
    const args = [
      join(fuzzer, 'bin', 'st'),
      'run',
      `${url}/openapi.json`,
      ...['--header', `Authorization: Bearer ${key}`],
      ...['--checks', 'not_a_server_error,response_schema_conformance,content_type_conformance'],
      // It finds its own key, user and session, and would end its own access.
      ...['--exclude-path-regex', 'revoke|disable|sessions/current'],
      ...['--phases', 'coverage,fuzzing', '--max-examples', '6', '--generation-deterministic', '--no-shrink'],
      ...['--continue-on-failure', '--suppress-health-check', 'all', '--request-timeout', '30', '--warnings', 'off'],
    ];
    const output = await new Promise<string>((done) => {
      const env = { ...process.env, PYTHONPATH: fuzzer, NO_COLOR: '1' };
      execFile('python3', args, { env, maxBuffer: 2 ** 26, cwd: product.home }, (_, stdout, stderr) =>
        done(stdout + stderr),
      );
    });
    expect(output).toMatch(/Test cases:\n\s+\d{3,} generated/);
    // Patterns with Unicode classes are beyond its generator; those operations are told as errors of the schema, not of ours.
    expect(output, output).not.toMatch(/Failures:|Server error|Response violates schema|Undocumented Content-Type/);
  }, 600_000);
});
