import { describe, expect, it } from 'vitest';
import {
  isAllowed,
  parseAllowedSkips,
  type RunRecord,
  type SkippedTest,
  summarize,
} from '../../support/run-summary.ts';

const skip: SkippedTest = { file: 'tests/unit/a.test.ts', name: 'gpu > finds one', reason: 'no GPU here' };

function record(change: Partial<RunRecord> = {}): RunRecord {
  return { passed: 3, failed: 0, skipped: [], unhandledErrors: 0, failedChecks: [], ...change };
}

describe('the summary of a test run', () => {
  it('says passed, failed and skipped in one line', () => {
    expect(summarize(record({ failed: 2, skipped: [skip] }), [], false).line).toBe('3 passed, 2 failed, 1 skipped');
  });

  it('is fine when everything passed', () => {
    expect(summarize(record(), [], true)).toEqual({ notes: [], line: '3 passed, 0 failed, 0 skipped', ok: true });
  });

  it('prints every skip with its reason, and says when there is none', () => {
    const notes = summarize(record({ skipped: [skip, { ...skip, reason: undefined }] }), [], false).notes;
    expect(notes).toEqual([
      'SKIPPED  tests/unit/a.test.ts > gpu > finds one: no GPU here',
      'SKIPPED  tests/unit/a.test.ts > gpu > finds one: no reason given',
    ]);
  });

  it('turns a skip that CI does not allow into a failure and names it', () => {
    const summary = summarize(record({ skipped: [skip] }), [], true);
    expect(summary).toMatchObject({ line: '3 passed, 1 failed, 0 skipped', ok: false });
    expect(summary.notes[0]).toContain('SKIP NOT ALLOWED  tests/unit/a.test.ts > gpu > finds one');
  });

  it('leaves a skip on the list a skip, on CI too', () => {
    const allowed = [{ test: 'gpu > finds one', reason: 'the build machine has none' }];
    expect(summarize(record({ skipped: [skip] }), allowed, true)).toMatchObject({
      line: '3 passed, 0 failed, 1 skipped',
      ok: true,
    });
  });

  it('fails when nothing ran, when an error escaped, and when a check before the tests failed', () => {
    expect(summarize(record({ passed: 0 }), [], false)).toMatchObject({
      line: '0 passed, 1 failed, 0 skipped',
      ok: false,
    });
    expect(summarize(record({ unhandledErrors: 1 }), [], false)).toMatchObject({ ok: false });
    expect(summarize(record({ failedChecks: ['tsc', 'biome'] }), [], false).line).toBe('3 passed, 2 failed, 0 skipped');
  });
});

describe('the list of allowed skips', () => {
  it('matches by full name, by file pattern, or by both at once', () => {
    expect(isAllowed(skip, [{ test: 'gpu > finds one', reason: '-' }])).toBe(true);
    expect(isAllowed(skip, [{ test: 'gpu', reason: '-' }])).toBe(false);
    expect(isAllowed(skip, [{ file: 'tests/unit/*.test.ts', reason: '-' }])).toBe(true);
    expect(isAllowed(skip, [{ file: 'tests/e2e/**', test: 'gpu > finds one', reason: '-' }])).toBe(false);
  });

  it('reads YAML, empty or not, and refuses an entry without a reason or a subject', () => {
    expect(parseAllowedSkips('[]')).toEqual([]);
    expect(parseAllowedSkips('# nothing\n')).toEqual([]);
    expect(parseAllowedSkips('- file: tests/e2e/**\n  reason: needs a browser')).toHaveLength(1);
    expect(() => parseAllowedSkips('- file: tests/e2e/**')).toThrow();
    expect(() => parseAllowedSkips('- reason: because of the weather')).toThrow(/needs `test` or `file`/);
  });
});
