import { describe, expect, it } from 'vitest';
import { LogBuffer, type LogLine } from '../../../../../dashboard/src/pages/job/log/log-buffer.ts';
import { styleBefore, styleLine } from '../../../../../dashboard/src/pages/job/log/log-style.ts';

const lineOf = (line: number, text: string, stream: LogLine['stream'] = 'stdout'): LogLine => ({
  line,
  at: '2026-11-22T00:00:00.000Z',
  stream,
  text,
  partial: false,
});

function bufferOf(...lines: LogLine[]): LogBuffer {
  const buffer = new LogBuffer();
  buffer.add(lines);
  return buffer;
}

const styleOf = (buffer: LogBuffer, number: number) => {
  const line = buffer.line(number)!;
  return styleLine(line, styleBefore(buffer, line)).spans.at(-1)?.style;
};

describe('the style of a line', () => {
  it('goes on in the next line, until something ends it', () => {
    const buffer = bufferOf(
      lineOf(0, '\x1b[1;31mred'),
      lineOf(1, 'still'),
      lineOf(2, 'and \x1b[22mthin'),
      lineOf(3, 'red alone'),
      lineOf(4, '\x1b[0mplain'),
      lineOf(5, 'plain'),
    );
    expect(styleOf(buffer, 1)).toEqual({ bold: true, foreground: 1 });
    expect(styleOf(buffer, 3)).toEqual({ foreground: 1 });
    expect(styleOf(buffer, 5)).toEqual({});
  });

  it('does not colour the other stream', () => {
    const buffer = bufferOf(lineOf(0, '\x1b[31mred', 'stderr'), lineOf(1, 'out'), lineOf(2, 'err', 'stderr'));
    expect(styleOf(buffer, 1)).toEqual({});
    expect(styleOf(buffer, 2)).toEqual({ foreground: 1 });
  });

  it('does not go over lines that are not held', () => {
    const buffer = bufferOf(lineOf(0, '\x1b[31mred'), lineOf(2, 'after a hole'));
    expect(styleOf(buffer, 2)).toEqual({});
  });

  it('ends after 500 lines, so that one line costs no walk through the log', () => {
    const many = Array.from({ length: 510 }, (_, index) => lineOf(index, index === 0 ? '\x1b[31mred' : 'more'));
    const buffer = bufferOf(...many);
    expect(styleOf(buffer, 500)).toEqual({ foreground: 1 });
    expect(styleOf(buffer, 501)).toEqual({});
  });

  it('is that at the end of the whole line where only its beginning is drawn', () => {
    const buffer = bufferOf(lineOf(0, `${'x'.repeat(5_000)}\x1b[32m`), lineOf(1, 'green'));
    expect(styleOf(buffer, 1)).toEqual({ foreground: 2 });
  });

  it('gives the same object for the same line and style, and another when the style before changed', () => {
    const line = lineOf(1, 'text');
    const first = styleLine(line, { bold: true });
    expect(styleLine(line, { bold: true })).toBe(first);
    expect(styleLine(line, {}).spans[0]?.style).toEqual({});
  });
});
