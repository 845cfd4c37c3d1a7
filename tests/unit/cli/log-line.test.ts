import { afterEach, expect, it, vi } from 'vitest';
import { printLogLine } from '../../../src/cli/watch.ts';

afterEach(() => vi.restoreAllMocks());

/** What comes out where, for lines of a log. */
function printed(...lines: [stream: string, text: string, partial: boolean][]) {
  const out: string[] = [];
  const errors: string[] = [];
  vi.spyOn(process.stdout, 'write').mockImplementation((text) => out.push(String(text)) > 0);
  vi.spyOn(process.stderr, 'write').mockImplementation((text) => errors.push(String(text)) > 0);
  for (const [stream, text, partial] of lines) printLogLine({ stream, text, partial }, false);
  vi.restoreAllMocks();
  return { out: out.join(''), errors: errors.join('') };
}

it('a line that was too long for one record comes out as one line, in each stream', () => {
  const { out, errors } = printed(
    ['stdout', 'one ', true],
    ['stderr', 'an error ', true],
    ['stdout', 'line', false],
    ['stderr', 'too', false],
    ['stdout', '', false],
  );
  expect(out).toBe('one line\n\n');
  expect(errors).toBe('an error too\n');
});
