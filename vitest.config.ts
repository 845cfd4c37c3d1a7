/**
 * How tests run. Files run in processes of their own, because many start servers, send signals and change their
 * environment; a file may take its time (real processes, a real PostgreSQL), a single hang may not.
 */
import { availableParallelism } from 'node:os';
import { defineConfig } from 'vitest/config';
import { leftToCi } from './tests/support/left-to-ci.ts';
import SummaryReporter from './tests/support/reporter.ts';

export default defineConfig({
  test: {
    include: ['tests/{unit,integration,conformance,e2e,browser,architecture}/**/*.test.ts'],
    exclude: ['**/node_modules/**', ...leftToCi(import.meta.dirname).map(({ pattern }) => pattern)],
    globalSetup: ['tests/support/global-setup.ts'],
    pool: 'forks',
    // Integration tests mostly wait for other processes, so one worker more than a small machine has cores pays.
    maxWorkers: Math.min(8, availableParallelism() + 1),
    testTimeout: 90_000,
    hookTimeout: 120_000,
    teardownTimeout: 20_000,
    allowOnly: process.env.CI !== 'true',
    // Vitest's own reporter stands first, so that the summary's last line comes last.
    reporters: [['default', { summary: false }], new SummaryReporter()],
  },
});
