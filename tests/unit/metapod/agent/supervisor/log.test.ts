import { appendFileSync, mkdtempSync, rmSync, truncateSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import fc from 'fast-check';
import { afterAll, describe, expect, it } from 'vitest';
import { FILES } from '../../../../../src/metapod/agent/supervisor/files.ts';
import { readLog } from '../../../../../src/metapod/agent/supervisor/log-reader.ts';
import { LogWriter } from '../../../../../src/metapod/agent/supervisor/log-writer.ts';

const made: string[] = [];
afterAll(() => {
  for (const dir of made) rmSync(dir, { recursive: true, force: true });
});

function log(write: (writer: LogWriter) => void, mostBytes?: number): string {
  const dir = mkdtempSync(join(tmpdir(), 'solyx-log-'));
  made.push(dir);
  write(new LogWriter(join(dir, FILES.log), mostBytes));
  return dir;
}
const texts = (dir: string) => readLog(dir, 0).records.map(({ d, p }) => (p ? `${d}…` : d));

describe('the log', () => {
  it('gives back exactly the text, however it was cut into pieces', () => {
    const text = fc
      .array(fc.oneof(fc.string({ unit: 'binary' }), fc.constant('\n'), fc.constant('€😀')))
      .map((parts) => parts.join('').replaceAll('\r', ''));
    fc.assert(
      fc.property(text, fc.array(fc.nat(20)), (whole, cuts) => {
        const dir = log((writer) => {
          let rest = Buffer.from(whole);
          for (const cut of cuts) {
            writer.push('out', rest.subarray(0, cut), 1);
            rest = rest.subarray(cut);
          }
          writer.push('out', rest, 1);
          writer.flush(2, 0);
        });
        const { records } = readLog(dir, 0);
        expect(records.map((record) => record.n)).toEqual(records.map((_, index) => index + 1));
        const joined = records.map((record) => record.d + (record.p ? '' : '\n')).join('');
        expect(joined.replace(/\n$/, '')).toBe(Buffer.from(whole).toString('utf8').replace(/\n$/, ''));
      }),
      { numRuns: 60 },
    );
  });

  it('ends at its greatest size and says so; what follows is dropped', () => {
    const dir = log((writer) => {
      for (let index = 0; index < 1000; index += 1) writer.push('out', Buffer.from(`line ${index}\nrest`), 1);
      writer.flush(2, 0);
      expect(writer.blocked).toBe(false);
    }, 10_000);
    const { records } = readLog(dir, 0);
    expect(records.map((record) => record.n)).toEqual(records.map((_, index) => index + 1));
    expect(records.length).toBeLessThan(250);
    expect(records.at(-1)).toMatchObject({ s: 'err', d: expect.stringContaining('10000 bytes') });
  });

  it('keeps the two streams apart', () => {
    const dir = log((writer) => {
      writer.push('out', Buffer.from('a'), 1);
      writer.push('err', Buffer.from('x\n'), 1);
      writer.push('out', Buffer.from('b\r\n'), 1);
    });
    expect(readLog(dir, 0).records).toEqual([
      { n: 1, t: 1, s: 'err', d: 'x' },
      { n: 2, t: 1, s: 'out', d: 'ab' },
    ]);
  });

  it('cuts very long lines, never through a character', () => {
    const dir = log((writer) => {
      writer.push('out', Buffer.from(`a${'😀'.repeat(40_000)}\n`), 1);
    });
    const { records } = readLog(dir, 0, 1 << 24);
    expect(records.length).toBe(3);
    expect(records.every((record) => record.d.isWellFormed())).toBe(true);
    expect(records.map((record) => record.d).join('')).toBe(`a${'😀'.repeat(40_000)}`);
  });

  it('writes an unfinished line once it is old, counted from its beginning', () => {
    const dir = log((writer) => {
      writer.push('out', Buffer.from('dot'), 1000);
      writer.push('out', Buffer.from('.'), 1150);
      writer.flush(1199, 200);
      writer.flush(1200, 200);
      writer.push('out', Buffer.from('!\n'), 1300);
    });
    expect(texts(dir)).toEqual(['dot.…', '!']);
  });
});

describe('reading the log', () => {
  it('shows a torn last record as unfinished and leaves it', () => {
    const dir = log((writer) => writer.push('out', Buffer.from('one\ntwo\n'), 1));
    const whole = readLog(dir, 0).nextOffset;
    truncateSync(join(dir, FILES.log), whole - 3);
    const page = readLog(dir, 0);
    expect(page.records.map((record) => record.d)).toEqual(['one']);
    expect(page.unfinishedBytes).toBeGreaterThan(0);
    expect(readLog(dir, page.nextOffset)).toMatchObject({ records: [], nextOffset: page.nextOffset });
  });

  it('counts lines that do not parse instead of guessing', () => {
    const dir = log((writer) => writer.push('out', Buffer.from('one\n'), 1));
    appendFileSync(join(dir, FILES.log), '{"n":2,\0\0\n{"n":3,"t":1,"s":"out","d":"three"}\n');
    expect(readLog(dir, 0)).toMatchObject({ corruptLines: 1, records: [{ d: 'one' }, { d: 'three' }] });
  });

  it('goes on where it left off, page by page', () => {
    const dir = log((writer) => writer.push('out', Buffer.from(`${'x'.repeat(1000)}\n`.repeat(1000)), 1));
    let lines = 0;
    for (let offset = 0; ; ) {
      const page = readLog(dir, offset, 256 * 1024);
      if (page.nextOffset === offset) break;
      offset = page.nextOffset;
      lines += page.records.length;
    }
    expect(lines).toBe(1000);
    expect(readLog('/no/such/attempt', 0).records).toEqual([]);
  });
});
