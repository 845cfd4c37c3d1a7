/**
 * A job that writes numbered lines, one in a tenth of a second, so that what a fault lost or doubled shows in its log.
 */

/** The spec as JSON, for `solyx submit -`. @param lines how many; it runs a tenth of a second for each */
export function countingJob(lines: number, more: Readonly<Record<string, unknown>> = {}): string {
  const script = `let n = 0; const t = setInterval(() => { console.log('line ' + n++); if (n === ${lines}) clearInterval(t); }, 100)`;
  return JSON.stringify({
    name: 'counts',
    command: ['node', '-e', script],
    resources: { cpu: 0.1, memory: '128MiB', disk: '8MiB' },
    ...more,
  });
}

/** The whole log of such a job. */
export const countedLines = (lines: number): string =>
  Array.from({ length: lines }, (_, line) => `line ${line}`).join('\n');
