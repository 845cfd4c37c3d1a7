import { mkdtempSync, readFileSync, rmSync, truncateSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import fc from 'fast-check';
import { afterEach, beforeEach, describe, expect, it } from 'vitest';
import type { RankReport } from '../../../../src/common/contract/agent/protocol.ts';
import { ReportJournal } from '../../../../src/metapod/agent/journal.ts';

let folder: string;
let path: string;
beforeEach(() => {
  folder = mkdtempSync(join(tmpdir(), 'solyx-journal-'));
  path = join(folder, 'reports');
});
afterEach(() => rmSync(folder, { recursive: true, force: true }));

const report = (rank: number): RankReport => ({
  attemptId: 'att_x',
  rank,
  token: '7',
  state: 'running',
  at: '2026-01-01T00:00:00.000Z',
});

function write(count: number): string {
  const journal = ReportJournal.open(path);
  for (let rank = 0; rank < count; rank += 1) journal.append(report(rank));
  journal.close();
  return journal.name;
}
const ranks = (journal: ReportJournal) => journal.entries.map((entry) => entry.report.rank);

describe('the report journal', () => {
  it('keeps reports, their numbers and its name over a restart', () => {
    const name = write(3);
    const again = ReportJournal.open(path);
    expect(again.name).toBe(name);
    expect(again.entries.map((entry) => entry.seq)).toEqual([0, 1, 2]);
    expect(again.append(report(3)).seq).toBe(3);
    again.close();
  });

  it('never gives a number twice, also when everything was acknowledged before a restart', () => {
    const name = write(3);
    const second = ReportJournal.open(path);
    second.acknowledge(name, 3);
    second.close();
    const third = ReportJournal.open(path);
    expect(third.entries).toEqual([]);
    expect(third.append(report(9)).seq).toBe(3);
    third.close();
  });

  it('drops what is acknowledged and ignores acknowledgements of the past, of another journal and of the future', () => {
    const name = write(4);
    const journal = ReportJournal.open(path);
    journal.acknowledge(name, 2);
    expect(ranks(journal)).toEqual([2, 3]);
    journal.acknowledge(name, 1);
    journal.acknowledge('another', 4);
    journal.acknowledge(name, 99);
    expect(ranks(journal)).toEqual([2, 3]);
    journal.close();
  });

  it('survives being cut anywhere: what was whole stays, the torn end goes, and it goes on with the same numbers', () => {
    const name = write(5);
    const whole = readFileSync(path);
    const headerBytes = whole.indexOf(0x0a) + 1;
    fc.assert(
      fc.property(
        fc.integer({ min: headerBytes, max: whole.length }),
        fc.uint8Array({ maxLength: 30 }),
        (length, junk) => {
          writeFileSync(path, whole);
          truncateSync(path, length);
          // What a torn write leaves behind is never a line with a right checksum.
          const torn = length < whole.length ? junk.filter((byte) => byte !== 0x0a) : new Uint8Array();
          writeFileSync(path, torn, { flag: 'a' });
          const journal = ReportJournal.open(path);
          const kept = whole.subarray(headerBytes, length).filter((byte) => byte === 0x0a).length;
          expect(journal.name).toBe(name);
          expect(ranks(journal)).toEqual([0, 1, 2, 3, 4].slice(0, kept));
          expect(journal.append(report(8)).seq).toBe(kept);
          journal.close();
          const again = ReportJournal.open(path);
          expect(ranks(again)).toEqual([...[0, 1, 2, 3, 4].slice(0, kept), 8]);
          again.close();
        },
      ),
      { numRuns: 60 },
    );
  });

  it('takes another name when a line in the middle is damaged, and keeps what can be read', () => {
    const name = write(5);
    const lines = readFileSync(path, 'utf8').split('\n');
    lines[3] = `${lines[3]!.slice(0, 20)}#${lines[3]!.slice(21)}`;
    writeFileSync(path, lines.join('\n'));
    const journal = ReportJournal.open(path);
    expect(journal.name).not.toBe(name);
    expect(ranks(journal)).toEqual([0, 1, 3, 4]);
    expect(journal.entries.map((entry) => entry.seq)).toEqual([0, 1, 2, 3]);
    journal.close();
  });
});
