import fc from 'fast-check';
import { describe, expect, it } from 'vitest';
import { parseAnsi, plainText } from '../../../../../dashboard/src/pages/job/log/ansi.ts';
import {
  contrast,
  drawnColours,
  leastContrast,
  surface,
} from '../../../../../dashboard/src/pages/job/log/ansi-colour.ts';

const texts = (line: string) => parseAnsi(line).spans.map(({ text }) => text);
const styles = (line: string) => parseAnsi(line).spans.map(({ style }) => style);

describe('colours and weights', () => {
  it('become spans of plain text', () => {
    expect(parseAnsi('a \x1b[1;31mred\x1b[0m z').spans).toEqual([
      { text: 'a ', style: {} },
      { text: 'red', style: { bold: true, foreground: 1 } },
      { text: ' z', style: {} },
    ]);
  });

  it('know the bright sixteen, 256 colours and whole ones, with semicolons and with colons', () => {
    expect(styles('\x1b[92mx')).toEqual([{ foreground: 10 }]);
    expect(styles('\x1b[101mx')).toEqual([{ background: 9 }]);
    expect(styles('\x1b[38;5;196mx')).toEqual([{ foreground: { r: 255, g: 0, b: 0 } }]);
    expect(styles('\x1b[48:5:244mx')).toEqual([{ background: { r: 128, g: 128, b: 128 } }]);
    expect(styles('\x1b[38;2;1;2;3mx')).toEqual([{ foreground: { r: 1, g: 2, b: 3 } }]);
    expect(styles('\x1b[38;5;4mx')).toEqual([{ foreground: 4 }]);
  });

  it('are taken back one by one or all at once', () => {
    expect(styles('\x1b[1;2;3;4;7;9;31;42mx\x1b[22;23;24;27;29;39;49my')).toEqual([
      {
        bold: true,
        dim: true,
        italic: true,
        underline: true,
        inverse: true,
        strike: true,
        foreground: 1,
        background: 2,
      },
      {},
    ]);
    expect(styles('\x1b[31mx\x1b[my')).toEqual([{ foreground: 1 }, {}]);
  });

  it('that are out of range or cut off have no effect', () => {
    expect(styles('\x1b[38;5;999mx')).toEqual([{}]);
    expect(styles('\x1b[38;2;300;0;0mx')).toEqual([{}]);
    expect(styles('\x1b[38mx')).toEqual([{}]);
    expect(styles('\x1b[>4;2mx')).toEqual([{}]);
    expect(texts('x\x1b[31')).toEqual(['x']);
    expect(texts('x\x1b')).toEqual(['x']);
  });

  it('go on where the line before left them', () => {
    const first = parseAnsi('\x1b[31mred');
    expect(parseAnsi('still red', first.style).spans[0]!.style).toEqual({ foreground: 1 });
  });
});

describe('hostile output', () => {
  it('cannot move the cursor, clear the screen, set a title or make a link', () => {
    expect(
      texts('a\x1b[2J\x1b[10;10Hb\x1b]0;owned\x07c\x1b]8;;https://evil.example\x1b\\d\x1bPq#1\x1b\\e\x1b(Bf'),
    ).toEqual(['a', 'b', 'c', 'd', 'e', 'f']);
    expect(texts('a\x9b2Jb\x9d0;title\x9cc')).toEqual(['a', 'b', 'c']);
  });

  it('cannot hide what it says or turn it around', () => {
    expect(texts('user\u202Enimda')).toEqual(['user', '\\u202e', 'nimda']);
    expect(texts('a\0b\u200bc\x7fd\u2066e\ufefff')).toEqual([
      'a',
      '\\x00',
      'b',
      '\\u200b',
      'c',
      '\\x7f',
      'd',
      '\\u2066',
      'e',
      '\\ufeff',
      'f',
    ]);
    expect(parseAnsi('a\0b').spans[1]!.code).toBe(true);
  });

  it('stays text when it looks like markup', () => {
    expect(texts('<img src=x onerror=alert(1)>')).toEqual(['<img src=x onerror=alert(1)>']);
  });

  it('with a stray beginning of a sequence loses only that', () => {
    expect(plainText('x\x1b[\x01y')).toBe('x\\x01y');
    expect(plainText('\x1b[12\u00e9z')).toBe('\u00e9z');
  });

  it('shows half characters as codes and whole ones as they are', () => {
    expect(texts('\ud83d\ude00 \ud83d')).toEqual(['\ud83d\ude00 ', '\\ud83d']);
  });

  it('shows of a progress bar what was written last', () => {
    expect(texts(' 10 %\r 20 %\r100 %\r')).toEqual(['100 %']);
    expect(styles('\x1b[32m1\r2')).toEqual([{ foreground: 2 }]);
    expect(texts('\r\rdone')).toEqual(['done']);
    expect(texts('1\x1b[31m2\x1b[0m3\rdone')).toEqual(['done']);
  });

  it('never leaves anything but text, whatever the bytes', () => {
    const piece = fc.oneof(
      fc.string({ unit: 'binary' }),
      fc.constantFrom('\x1b[', '\x1b]', '\x1bP', '\x07', '\x1b\\', '31m', ';', '\r', '\x9b', '\u202e', '38;5;', '0m'),
    );
    fc.assert(
      fc.property(fc.array(piece, { maxLength: 40 }), (pieces) => {
        const { spans } = parseAnsi(pieces.join(''));
        for (const { text } of spans) {
          expect(text).not.toBe('');
          expect(text.isWellFormed()).toBe(true);
          expect(text).not.toMatch(/(?!\t)\p{Cc}|[\u202a-\u202e\u2066-\u2069]/u);
        }
      }),
      { numRuns: 2_000 },
    );
  });

  it('takes time in proportion to its length', () => {
    const started = performance.now();
    parseAnsi('\x1b['.repeat(500_000));
    parseAnsi(`\x1b[${'1;'.repeat(500_000)}m`);
    parseAnsi('\x1b]'.repeat(500_000));
    expect(performance.now() - started).toBeLessThan(3_000);
  });
});

describe('drawn colours', () => {
  const channel = fc.integer({ min: 0, max: 255 });
  const colour = fc.oneof(fc.integer({ min: 0, max: 15 }), fc.record({ r: channel, g: channel, b: channel }));
  const parse = (css: string) => {
    const [r, g, b] = css.match(/\d+/g)!.map(Number);
    return { r: r!, g: g!, b: b! };
  };

  it('are legible in both schemes, whatever the job chose', () => {
    fc.assert(
      fc.property(
        fc.option(colour, { nil: undefined }),
        fc.option(colour, { nil: undefined }),
        fc.boolean(),
        fc.constantFrom('light' as const, 'dark' as const),
        (foreground, background, inverse, scheme) => {
          const style = {
            ...(foreground !== undefined && { foreground }),
            ...(background !== undefined && { background }),
          };
          const drawn = drawnColours({ ...style, ...(inverse && { inverse: true as const }) }, scheme);
          if (drawn.colour === undefined) return;
          const behind = drawn.background === undefined ? surface[scheme] : parse(drawn.background);
          expect(contrast(parse(drawn.colour), behind)).toBeGreaterThanOrEqual(leastContrast - 0.05);
        },
      ),
    );
  });

  it('are those of the log itself where the job asked for none', () => {
    expect(drawnColours({ bold: true }, 'dark')).toEqual({ colour: undefined, background: undefined });
  });
});
