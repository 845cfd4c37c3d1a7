import fc from 'fast-check';
import { describe, expect, it } from 'vitest';
import { fitFrame, type LogFrame, parseLogLine } from '../../../../src/metapod/gateway/log-lines.ts';

const record = (n: number) => JSON.stringify({ n, t: 1, s: 'out', d: `line ${n}` });
const frame = (firstLine: number, lineCount: number, complete = false): LogFrame => ({
  firstLine,
  lineCount,
  lines: Array.from({ length: lineCount }, (_, index) => `${record(firstLine + index)}\n`).join(''),
  complete,
});

describe('a log frame', () => {
  it('is taken whole where the stream stands', () => {
    expect(fitFrame(frame(5, 2), 5)).toMatchObject({ kind: 'chunk', firstLine: 5, lineCount: 2, nextLine: 7 });
  });

  it('loses what overlaps', () => {
    expect(fitFrame(frame(3, 4), 5)).toEqual({
      kind: 'chunk',
      firstLine: 5,
      lineCount: 2,
      lines: `${record(5)}\n${record(6)}\n`,
      nextLine: 7,
      complete: false,
    });
  });

  it('that begins later or was taken before changes nothing', () => {
    expect(fitFrame(frame(6, 2, true), 5)).toEqual({ kind: 'nothing', nextLine: 5, complete: false });
    expect(fitFrame(frame(1, 2), 5)).toEqual({ kind: 'nothing', nextLine: 5, complete: false });
  });

  it('completes the log only when its end is the end', () => {
    expect(fitFrame(frame(5, 0, true), 5)).toEqual({ kind: 'nothing', nextLine: 5, complete: true });
    expect(fitFrame(frame(3, 2, true), 5)).toEqual({ kind: 'nothing', nextLine: 5, complete: true });
    expect(fitFrame(frame(2, 2, true), 5)).toEqual({ kind: 'nothing', nextLine: 5, complete: false });
  });

  it('that is not what it says is garbled', () => {
    expect(fitFrame({ ...frame(5, 2), lineCount: 3 }, 5).kind).toBe('garbled');
    expect(fitFrame({ ...frame(5, 2), firstLine: 4 }, 5).kind).toBe('garbled');
    expect(fitFrame({ firstLine: 0, lineCount: 1, lines: 'no json\n', complete: false }, 0).kind).toBe('garbled');
    expect(parseLogLine('{"n":1.5,"t":1,"s":"out","d":""}')).toBeUndefined();
    expect(parseLogLine('{"n":1,"t":1,"s":"x","d":""}')).toBeUndefined();
    expect(parseLogLine('null')).toBeUndefined();
  });

  it('by frame, in whatever order and however often they come, makes each line once', () => {
    const frames = fc.array(fc.tuple(fc.nat(30), fc.nat(6)), { maxLength: 40 });
    fc.assert(
      fc.property(frames, (sent) => {
        let next = 0;
        const taken: number[] = [];
        for (const [first, count] of sent) {
          const fitted = fitFrame(frame(first, count), next);
          if (fitted.kind !== 'chunk') continue;
          expect(fitted.lineCount).toBeGreaterThan(0);
          for (const line of fitted.lines.trimEnd().split('\n')) taken.push(parseLogLine(line)!.n);
          next = fitted.nextLine;
        }
        expect(taken).toEqual(Array.from({ length: next }, (_, n) => n));
      }),
    );
  });
});
