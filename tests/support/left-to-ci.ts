/**
 * Which test files `npm test` leaves to CI: tools/scripts/test.sh sets SOLYX_TESTS=short when nobody named files and CI is not true.
 * Whoever calls vitest itself gets every file.
 */
import { globSync, readFileSync } from 'node:fs';
import { join } from 'node:path';
import { parse } from 'yaml';
import { z } from 'zod';
import type { SkippedTest } from './run-summary.ts';

const entry = z.strictObject({ reason: z.string().min(10), files: z.array(z.string().min(1)).min(1) });

export interface LeftToCi {
  /** Glob pattern, relative to the repository. */
  readonly pattern: string;
  readonly reason: string;
}

const isShort = (): boolean => process.env.SOLYX_TESTS === 'short';

/** @param root of the repository @returns nothing when everything is to run @throws when the list is malformed */
export function leftToCi(root: string): LeftToCi[] {
  if (!isShort()) return [];
  const entries = z.array(entry).parse(parse(readFileSync(join(root, 'tests', 'left-to-ci.yaml'), 'utf8')));
  return entries.flatMap(({ reason, files }) => files.map((pattern) => ({ pattern, reason })));
}

/** The files that were left out, each as one skip. @throws Error when a pattern names no file, as it would after a renaming */
export function skipsOf(root: string, left: readonly LeftToCi[]): SkippedTest[] {
  return left.flatMap(({ pattern, reason }) => {
    const files = globSync(pattern, { cwd: root });
    if (files.length === 0) throw new Error(`tests/left-to-ci.yaml: ${pattern} names no file`);
    return files.sort().map((file) => ({ file, name: 'left to CI=true', reason }));
  });
}
