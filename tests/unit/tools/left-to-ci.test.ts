import { join } from 'node:path';
import { afterEach, expect, it, vi } from 'vitest';
import { leftToCi, skipsOf } from '../../support/left-to-ci.ts';

const root = join(import.meta.dirname, '..', '..', '..');

afterEach(() => vi.unstubAllEnvs());

it('a short run names every file that it leaves out, with its reason; the story of the README is not among them', () => {
  vi.stubEnv('SOLYX_TESTS', 'short');
  const skips = skipsOf(root, leftToCi(root));
  expect(skips.map(({ file }) => file)).toContain('tests/e2e/failpoints.test.ts');
  expect(skips.map(({ file }) => file)).not.toContain('tests/browser/story.test.ts');
  expect(skips.every(({ reason }) => (reason ?? '').length > 10)).toBe(true);
});

it('any other run leaves nothing out', () => {
  vi.stubEnv('SOLYX_TESTS', undefined);
  expect(leftToCi(root)).toEqual([]);
});

it('a pattern that names no file is an error, not a suite that nobody misses', () => {
  expect(() => skipsOf(root, [{ pattern: 'tests/e2e/renamed.test.ts', reason: 'none' }])).toThrow('names no file');
});
