/**
 * Reports on their way to the control plane, on disk until it has them.
 *
 * One append-only file: a header that names the journal, then a line per report with its checksum, each flushed before
 * the report is sent. A crash can tear only the last line, which was therefore never sent and is cut off, so that its
 * number may be used again. When a line in the middle is damaged, numbers behind it may be known to the server with
 * other content: then what can be read moves into a new journal with a name of its own. Acknowledged lines are dropped
 * by writing the file anew, which happens whenever nothing is left, or when much has gathered.
 */
import { randomUUID } from 'node:crypto';
import { closeSync, fsyncSync, ftruncateSync, openSync, readFileSync, writeSync } from 'node:fs';
import { crc32 } from 'node:zlib';
import { type RankReport, rankReport } from '../../common/contract/agent/protocol.ts';
import { writeAtomic } from './supervisor/files.ts';

export interface JournalEntry {
  readonly seq: number;
  readonly report: RankReport;
}

const rewriteAtBytes = 256 * 1024;

export class ReportJournal {
  readonly #path: string;
  #name: string;
  #next: number;
  #entries: JournalEntry[];
  #file: number;
  #bytes: number;
  #isClosed = false;

  private constructor(path: string, content: JournalContent) {
    this.#path = path;
    this.#name = content.name;
    this.#entries = content.entries;
    this.#next = content.next;
    this.#bytes = content.validBytes;
    this.#file = openSync(path, 'r+');
    ftruncateSync(this.#file, content.validBytes);
  }

  /** Opens the journal at `path`, or begins one. @throws Error when the disk does not let us */
  static open(path: string): ReportJournal {
    const content = readJournal(path);
    if (content.kind === 'ok') return new ReportJournal(path, content);
    const name = randomUUID();
    const entries = content.entries.map((entry, seq) => ({ ...entry, seq }));
    const text = render(name, 0, entries);
    writeAtomic(path, text);
    const validBytes = Buffer.byteLength(text);
    return new ReportJournal(path, { kind: 'ok', name, entries, next: entries.length, validBytes });
  }

  /** Names this file among all that the node ever had. */
  get name(): string {
    return this.#name;
  }

  /** What the server has not acknowledged, in order. */
  get entries(): readonly JournalEntry[] {
    return this.#entries;
  }

  /**
   * Writes a report and flushes it; only then may it be sent.
   * @throws Error when the disk is full or the journal was closed; it is as before
   */
  append(report: RankReport): JournalEntry {
    if (this.#isClosed) throw new Error('the journal is closed');
    const entry = { seq: this.#next, report };
    const line = Buffer.from(renderEntry(entry));
    try {
      for (let done = 0; done < line.length; ) {
        done += writeSync(this.#file, line, done, line.length - done, this.#bytes + done);
      }
      fsyncSync(this.#file);
    } catch (error) {
      ftruncateSync(this.#file, this.#bytes);
      throw error;
    }
    this.#bytes += line.length;
    this.#next += 1;
    this.#entries = [...this.#entries, entry];
    return entry;
  }

  /** The server has everything below `next`; acknowledgements of another journal or of the past change nothing. */
  acknowledge(name: string, next: number): void {
    if (this.#isClosed || name !== this.#name || next > this.#next) return;
    const left = this.#entries.filter((entry) => entry.seq >= next);
    if (left.length === this.#entries.length) return;
    this.#entries = left;
    if (left.length > 0 && this.#bytes < rewriteAtBytes) return;
    const text = render(this.#name, this.#next, left);
    try {
      writeAtomic(this.#path, text);
    } catch {
      // A full disk: the file stays long, and what is acknowledged is sent once more after a restart.
      return;
    }
    closeSync(this.#file);
    this.#file = openSync(this.#path, 'r+');
    this.#bytes = Buffer.byteLength(text);
  }

  close(): void {
    if (this.#isClosed) return;
    this.#isClosed = true;
    closeSync(this.#file);
  }
}

type JournalContent = {
  kind: 'ok';
  name: string;
  entries: JournalEntry[];
  /** Number of the next report. */
  next: number;
  validBytes: number;
};

/** Reads a journal; `damaged` when it is missing or its numbers can no longer be trusted. */
export function readJournal(path: string): JournalContent | { kind: 'damaged'; entries: JournalEntry[] } {
  let bytes: Buffer;
  try {
    bytes = readFileSync(path);
  } catch (error) {
    if ((error as NodeJS.ErrnoException).code === 'ENOENT') return { kind: 'damaged', entries: [] };
    throw error;
  }
  const entries: JournalEntry[] = [];
  let header: { name: string; next: number } | undefined;
  let validBytes = 0;
  let skipped = false;
  for (let at = 0; at < bytes.length; ) {
    const end = bytes.indexOf(0x0a, at);
    if (end < 0) break;
    const value = parseLine(bytes.toString('utf8', at, end));
    at = end + 1;
    if (header === undefined) {
      header = headerOf(value);
      if (header === undefined) skipped = true;
      header ??= { name: '', next: 0 };
      validBytes = at;
      continue;
    }
    const entry = entryOf(value);
    if (entry === undefined) {
      skipped = true;
      continue;
    }
    entries.push(entry);
    // A damaged line with a good one behind it was not torn by a crash of ours.
    if (skipped) return { kind: 'damaged', entries: [...entries, ...restOf(bytes, at)] };
    validBytes = at;
  }
  if (header === undefined || header.name === '') return { kind: 'damaged', entries };
  return {
    kind: 'ok',
    name: header.name,
    entries,
    next: Math.max(header.next, (entries.at(-1)?.seq ?? -1) + 1),
    validBytes,
  };
}

function restOf(bytes: Buffer, from: number): JournalEntry[] {
  return bytes
    .toString('utf8', from)
    .split('\n')
    .map((line) => entryOf(parseLine(line)))
    .filter((entry) => entry !== undefined);
}

function headerOf(value: unknown): { name: string; next: number } | undefined {
  const { journal, next } = (value ?? {}) as { journal?: unknown; next?: unknown };
  return typeof journal === 'string' && Number.isSafeInteger(next)
    ? { name: journal, next: next as number }
    : undefined;
}

function entryOf(value: unknown): JournalEntry | undefined {
  const { seq, report } = (value ?? {}) as { seq?: unknown; report?: unknown };
  const parsed = rankReport.safeParse(report);
  return Number.isSafeInteger(seq) && parsed.success ? { seq: seq as number, report: parsed.data } : undefined;
}

function parseLine(line: string): unknown {
  const text = line.slice(9);
  if (line.slice(0, 8) !== checksum(text)) return undefined;
  try {
    return JSON.parse(text);
  } catch {
    return undefined;
  }
}

const checksum = (text: string) => crc32(text).toString(16).padStart(8, '0');
const renderLine = (value: unknown) => {
  const text = JSON.stringify(value);
  return `${checksum(text)} ${text}\n`;
};
const renderEntry = (entry: JournalEntry) => renderLine(entry);
const render = (journal: string, next: number, entries: readonly JournalEntry[]) =>
  renderLine({ journal, next }) + entries.map(renderEntry).join('');
