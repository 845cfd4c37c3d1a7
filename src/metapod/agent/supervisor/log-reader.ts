/** Reads the log that a supervisor writes, from any byte offset at which a record begins; for the agent. */
import { closeSync, fstatSync, openSync, readSync } from 'node:fs';
import { join } from 'node:path';
import { FILES } from './files.ts';
import type { LogRecord } from './log-writer.ts';

export interface LogPage {
  records: LogRecord[];
  /** Offset behind the last whole record: where to read on, and what to acknowledge. */
  nextOffset: number;
  /** Bytes behind it that form no whole record yet; after the supervisor's death they are a torn end. */
  unfinishedBytes: number;
  /** Lines that do not parse (a damaged disk); they are skipped and counted, never guessed. */
  corruptLines: number;
}

/**
 * @param offset a `nextOffset` of before, or 0
 * @param maxBytes read at most this much, ≥ 256 KiB so that the longest record fits
 * @param enoughBytes stop behind the record with which there is this much
 */
export function readLog(dir: string, offset: number, maxBytes = 1024 * 1024, enoughBytes = maxBytes): LogPage {
  const page: LogPage = { records: [], nextOffset: offset, unfinishedBytes: 0, corruptLines: 0 };
  let file: number;
  try {
    file = openSync(join(dir, FILES.log), 'r');
  } catch (error) {
    if ((error as NodeJS.ErrnoException).code === 'ENOENT') return page;
    throw error;
  }
  try {
    const length = Math.min(Math.max(fstatSync(file).size - offset, 0), Math.max(maxBytes, 256 * 1024));
    const bytes = Buffer.alloc(length);
    const got = bytes.subarray(0, readSync(file, bytes, 0, length, offset));
    const whole = got.lastIndexOf(0x0a) + 1;
    const enough = got.indexOf(0x0a, Math.max(0, enoughBytes - 1)) + 1;
    const end = enough > 0 ? Math.min(enough, whole) : whole;
    page.nextOffset = offset + end;
    page.unfinishedBytes = got.length - whole;
    for (const line of got.toString('utf8', 0, end).split('\n')) {
      if (line === '') continue;
      try {
        page.records.push(JSON.parse(line) as LogRecord);
      } catch {
        page.corruptLines += 1;
      }
    }
    return page;
  } finally {
    closeSync(file);
  }
}
