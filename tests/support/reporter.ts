/**
 * The last word of a test run: notes about skips, then one line `N passed, N failed, N skipped` and nothing after it.
 *
 * The line is written when the process exits, because vitest itself may still print after a run has ended (a slow
 * close, for example). With SOLYX_TEST_SUMMARY set to a file the line goes there instead: tools/scripts/test.sh prints
 * it after everything else. A run that never came to its end leaves `0 passed, 1 failed, 0 skipped`.
 */
import { existsSync, readFileSync, writeFileSync } from 'node:fs';
import { join } from 'node:path';
import type { Reporter, SerializedError, TestCase, TestModule, Vitest } from 'vitest/node';
import { leftToCi, skipsOf } from './left-to-ci.ts';
import { parseAllowedSkips, type RunRecord, type RunSummary, type SkippedTest, summarize } from './run-summary.ts';

const UNFINISHED: RunSummary = {
  notes: ['the test run ended before it was complete'],
  line: '0 passed, 1 failed, 0 skipped',
  ok: false,
};

function isLeftOut(test: TestCase, pattern: RegExp | undefined): boolean {
  return pattern !== undefined && !pattern.test(test.fullName);
}

/** Counts tests, and the files and suites that failed outside of them; tests that `-t` filters out do not count. */
function recordRun(modules: readonly TestModule[], unhandledErrors: number, pattern: RegExp | undefined): RunRecord {
  const skipped: SkippedTest[] = [];
  let passed = 0;
  let failed = 0;
  for (const module of modules) {
    failed += module.errors().length > 0 ? 1 : 0;
    for (const suite of module.children.allSuites()) failed += suite.errors().length > 0 ? 1 : 0;
    for (const test of module.children.allTests()) {
      const result = test.result();
      if (result.state === 'passed') passed += 1;
      else if (result.state === 'failed') failed += 1;
      else if (!isLeftOut(test, pattern)) {
        const reason = result.state === 'pending' ? 'never ran' : result.note;
        skipped.push({ file: module.relativeModuleId, name: test.fullName, reason });
      }
    }
  }
  const failedChecks = (process.env.SOLYX_FAILED_CHECKS ?? '').split(' ').filter((check) => check !== '');
  return { passed, failed, skipped, unhandledErrors, failedChecks };
}

export default class SummaryReporter implements Reporter {
  #vitest: Vitest | undefined;
  #summary: RunSummary = UNFINISHED;

  onInit(vitest: Vitest): void {
    this.#vitest = vitest;
    process.once('exit', () => this.#close());
  }

  onTestRunEnd(modules: readonly TestModule[], unhandledErrors: readonly SerializedError[]): void {
    const root = this.#vitest?.config.root ?? process.cwd();
    const list = join(root, 'tests', 'skips-allowed.yaml');
    const allowed = existsSync(list) ? parseAllowedSkips(readFileSync(list, 'utf8')) : [];
    const record = recordRun(modules, unhandledErrors.length, this.#vitest?.config.testNamePattern);
    record.skipped.push(...skipsOf(root, leftToCi(root)));
    this.#summary = summarize(record, allowed, process.env.CI === 'true');
    if (!this.#summary.ok) process.exitCode = 1;
  }

  #close(): void {
    const { notes, line, ok } = this.#summary;
    if (!ok) process.exitCode = 1;
    for (const note of notes) process.stdout.write(`${note}\n`);
    const file = process.env.SOLYX_TEST_SUMMARY;
    if (file === undefined || file === '') process.stdout.write(`${line}\n`);
    else writeFileSync(file, `${line}\n`);
  }
}
