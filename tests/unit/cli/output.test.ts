import fc from 'fast-check';
import { describe, expect, it } from 'vitest';
import { printable, printableLog, relative, toJson } from '../../../src/cli/output.ts';

const escapeCharacter = String.fromCharCode(27);

describe('text from outside', () => {
  it.each([
    ['clears the screen', `${escapeCharacter}[2Jgone`, '[2Jgone'],
    ['retitles the window', `${escapeCharacter}]0;root#${String.fromCharCode(7)}x`, ']0;root#x'],
    ['uses the eight-bit control sequence introducer', `${String.fromCharCode(0x9b)}2Jx`, '2Jx'],
    ['goes up a line', `a\r\n\u000bb`, 'ab'],
    ['turns the direction of writing', `a\u202eexe.txt\u2066`, 'aexe.txt'],
  ])('that %s is harmless', (_, text, shown) => {
    expect(printable(text)).toBe(shown);
  });

  it('never keeps a control character, whatever it is', () => {
    fc.assert(
      fc.property(fc.string({ unit: 'binary' }), (text) => {
        expect(printable(text)).not.toMatch(/(?!\t)\p{Cc}/u);
        const log = printableLog(text).replaceAll(new RegExp(`${escapeCharacter}\\[[0-9;]*m|\\n`, 'g'), '');
        expect(log).not.toMatch(/(?!\t)\p{Cc}/u);
      }),
      { numRuns: 50 },
    );
  });

  it('keeps tabs, letters of every script and joined emoji', () => {
    expect(printable('a\tb Größe 日本 👩‍🚀')).toBe('a\tb Größe 日本 👩‍🚀');
  });
});

describe('lines of a log', () => {
  it('keep their colours, which end with the line', () => {
    expect(printableLog(`${escapeCharacter}[31mred`)).toBe(`${escapeCharacter}[31mred${escapeCharacter}[0m`);
  });

  it('that a progress bar overwrites become lines', () => {
    expect(printableLog('10%\r50%\r100%\r')).toBe('10%\n50%\n100%');
  });
});

describe('JSON', () => {
  it('shows a terminal no orders, and parses to the same value', () => {
    fc.assert(
      fc.property(fc.jsonValue(), (value) => {
        const text = toJson(value, 2);
        expect(text).not.toMatch(/(?!\n)\p{Cc}/u);
        expect(JSON.parse(text)).toEqual(JSON.parse(JSON.stringify(value)));
      }),
    );
    const hostile = { name: `${String.fromCharCode(0x9b)}2J\u202e${String.fromCharCode(127)}` };
    expect(toJson(hostile)).toMatch(/^[\x20-\x7e]*$/);
    expect(JSON.parse(toJson(hostile))).toEqual(hostile);
  });
});

describe('instants', () => {
  it('are told by how far away they are', () => {
    const now = Date.parse('2026-01-01T00:00:00Z');
    expect(relative('2025-12-31T23:59:57Z', now)).toBe('3 s ago');
    expect(relative('2026-01-01T02:00:00Z', now)).toBe('in 2 h');
    expect(relative(null, now)).toBe('–');
  });
});
