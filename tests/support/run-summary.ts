/**
 * The pure part of the test reporter: turns what ran into counts, complaints and a verdict.
 *
 * A skipped test looks like a passed one to whoever reads only the exit code. So every skip is printed with its
 * reason, and on CI a skip counts as a failure unless tests/skips-allowed.yaml names it and says why. A run in which
 * nothing ran is a failure too: an empty pattern must never look green.
 */
import { matchesGlob } from 'node:path';
import { parse } from 'yaml';
import { z } from 'zod';

export interface SkippedTest {
  /** Path of the test file, relative to the repository. */
  file: string;
  /** Names of suites and test joined by ` > `. */
  name: string;
  reason: string | undefined;
}

/** What a run produced, without anything of vitest's own types. */
export interface RunRecord {
  passed: number;
  /** Failed tests, and files or suites that failed outside of a test. */
  failed: number;
  skipped: SkippedTest[];
  unhandledErrors: number;
  /** Checks before the tests that failed (`tsc`, `biome`); each counts as one failure. */
  failedChecks: string[];
}

const allowedSkip = z
  .strictObject({
    test: z.string().min(1).optional(),
    file: z.string().min(1).optional(),
    reason: z.string().min(10),
  })
  .refine((entry) => entry.test !== undefined || entry.file !== undefined, 'needs `test` or `file`');

export type AllowedSkip = z.infer<typeof allowedSkip>;

/** Reads the allow-list. @throws when it is not a list of `{test or file, reason}` */
export function parseAllowedSkips(text: string): AllowedSkip[] {
  return z.array(allowedSkip).parse(parse(text) ?? []);
}

/** True when an entry names this test by its full name, or its file by a glob pattern; both, if both are given. */
export function isAllowed(skip: SkippedTest, allowed: readonly AllowedSkip[]): boolean {
  return allowed.some(
    (entry) =>
      (entry.test === undefined || entry.test === skip.name) &&
      (entry.file === undefined || matchesGlob(skip.file, entry.file)),
  );
}

export interface RunSummary {
  /** Lines to print before the last one. */
  notes: string[];
  /** Exactly `N passed, N failed, N skipped`. */
  line: string;
  ok: boolean;
}

/** @param strict whether a skip that the list does not allow fails the run (CI) */
export function summarize(run: RunRecord, allowed: readonly AllowedSkip[], strict: boolean): RunSummary {
  const notes: string[] = [];
  let failed = run.failed;
  let skipped = 0;
  for (const skip of run.skipped) {
    const where = `${skip.file} > ${skip.name}: ${skip.reason ?? 'no reason given'}`;
    if (strict && !isAllowed(skip, allowed)) {
      notes.push(
        `SKIP NOT ALLOWED  ${where}`,
        '  a skip on CI needs an entry in tests/skips-allowed.yaml with its reason',
      );
      failed += 1;
    } else {
      notes.push(`SKIPPED  ${where}`);
      skipped += 1;
    }
  }
  if (run.unhandledErrors > 0)
    notes.push(`${run.unhandledErrors} error(s) outside of any test; each counts as a failure`);
  failed += run.unhandledErrors;
  for (const check of run.failedChecks) notes.push(`CHECK FAILED  ${check}`);
  failed += run.failedChecks.length;
  if (run.passed + run.failed + run.skipped.length === 0) {
    notes.push('no test ran; an empty run counts as a failure');
    failed += 1;
  }
  return { notes, line: `${run.passed} passed, ${failed} failed, ${skipped} skipped`, ok: failed === 0 };
}
