import { stripVTControlCharacters } from 'node:util';
import { afterEach, beforeEach, describe, expect, it, vi } from 'vitest';
import { reportError } from '../../../src/cli/errors.ts';
import { type Code, SolyxError } from '../../../src/common/errors/index.ts';

let out = '';
let err = '';
beforeEach(() => {
  out = '';
  err = '';
  vi.spyOn(process.stdout, 'write').mockImplementation((text) => {
    out += String(text);
    return true;
  });
  vi.spyOn(process.stderr, 'write').mockImplementation((text) => {
    err += stripVTControlCharacters(String(text));
    return true;
  });
});
afterEach(() => vi.restoreAllMocks());

describe('an error on the terminal', () => {
  it.each([
    ['config_invalid', 2],
    ['invalid_yaml', 2],
    ['invalid_query', 2],
    ['job_impossible', 2],
    ['server_unreachable', 3],
    ['database_unavailable', 3],
    ['not_found', 1],
    ['home_in_use', 1],
    ['key_revoked', 1],
  ] as [Code, number][])('%s ends with %i', (code, exitCode) => {
    expect(reportError(new SolyxError(code), false)).toBe(exitCode);
    expect(err).toContain(code);
    expect(out).toBe('');
  });

  it('names each place and what would be right, without orders to the terminal', () => {
    const issues = [{ at: '/a\u001b[2J', message: 'wrong\u001b]0;x' }];
    reportError(new SolyxError('job_spec_invalid', { issues }), false);
    expect(err).toContain('/a[2J: wrong]0;x');
    expect(err).toContain('Mend the fields');
  });

  it('of a file that belongs to somebody else is no fault of ours', () => {
    const denied = Object.assign(new Error("EACCES: permission denied, open '/x'"), { code: 'EACCES', path: '/x' });
    expect(reportError(denied, false)).toBe(1);
    expect(err).toMatch(/file_denied.*'\/x'/);
    expect(err).toContain('SOLYX_HOME');
  });

  it('is a problem on stdout with --json', () => {
    reportError(new SolyxError('not_found', 'job_x'), true);
    expect(JSON.parse(out)).toMatchObject({ error: { code: 'not_found', status: 404, detail: 'job_x' } });
  });

  it('of the system is told by what it means', () => {
    expect(reportError(Object.assign(new Error('write'), { code: 'ENOSPC' }), false)).toBe(1);
    expect(err).toContain('disk_full');
  });

  it('that nobody foresaw says how to see more', () => {
    reportError(new TypeError('x is undefined'), false);
    expect(err).toMatch(/internal: .*x is undefined[\s\S]*SOLYX_LOG_LEVEL=debug/);
  });
});
