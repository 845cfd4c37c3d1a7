/**
 * Turns the bytes of the job's two pipes into numbered lines on disk.
 *
 * A record is one line of JSON and ends with a newline, so a record torn by a crash is seen by its missing end.
 * Writes are plain synchronous appends: order is the order of arrival, and what the job wrote is in the kernel's
 * hands before we read more. A full disk holds the job back (the pipe stays unread) instead of losing lines.
 * A log has a greatest size, because nothing else bounds what one job may write to the node and to the database; the
 * last record says that it was reached, what follows is read and dropped, and the job goes on.
 */
import { openSync, writeSync } from 'node:fs';
import { StringDecoder } from 'node:string_decoder';

export type Stream = 'out' | 'err';

export interface LogRecord {
  /** Sequence number, from 1, without gaps. */
  n: number;
  /** When it was read, epoch milliseconds. */
  t: number;
  s: Stream;
  /** The line without its newline; invalid UTF-8 replaced. */
  d: string;
  /** Present when the line goes on in the next record of the same stream. */
  p?: true;
}

/** Greatest size of a log, bytes. */
const MOST_BYTES = 256 * 1024 * 1024;
/** Characters of an unfinished line that are kept back at most. */
const LONGEST_PART = 32 * 1024;

export class LogWriter {
  /** Bytes in the log. */
  size = 0;
  readonly #file: number;
  readonly #decoders = { out: new StringDecoder('utf8'), err: new StringDecoder('utf8') };
  readonly #rest = { out: '', err: '' };
  readonly #restSince = { out: 0, err: 0 };
  #pending: Buffer = Buffer.alloc(0);
  #next = 1;
  readonly #mostBytes: number;
  readonly #masks: readonly string[];
  #full = false;

  /**
   * @param mostBytes size at which the log ends, > 0; the record that reaches it is still written
   * @param masks texts that are written as `***`: a courtesy against secrets that are printed by mistake, not a protection, since
   *   a job can print them in any other form
   */
  constructor(path: string, mostBytes: number = MOST_BYTES, masks: readonly string[] = []) {
    this.#masks = masks;
    this.#file = openSync(path, 'a', 0o600);
    this.#mostBytes = mostBytes;
  }

  /** Takes what a pipe gave. @param now epoch milliseconds */
  push(stream: Stream, bytes: Buffer, now: number): void {
    if (this.#full) return;
    const before = this.#rest[stream];
    const lines = (before + this.#decoders[stream].write(bytes)).split('\n');
    let last = lines.pop() ?? '';
    let records = '';
    for (const line of lines) records += this.#split(stream, line, now, false);
    if (last.length > LONGEST_PART) {
      records += this.#split(stream, last, now, true);
      last = '';
    }
    // The age of an unfinished line counts from its first character, or a slow progress bar would never show.
    if (before === '' || lines.length > 0) this.#restSince[stream] = now;
    this.#rest[stream] = last;
    this.#append(records);
    if (this.size + this.#pending.length >= this.#mostBytes) this.#end(now);
  }

  #end(now: number): void {
    this.#full = true;
    this.#rest.out = '';
    this.#rest.err = '';
    const text = `[solyx: the log has reached its ${this.#mostBytes} bytes; what follows is not kept]`;
    this.#append(this.#record('err', text, now, false));
  }

  /** Writes out unfinished lines that are older than `olderThanMs`; with 0 everything, at the end of the job. */
  flush(now: number, olderThanMs: number): void {
    for (const stream of this.#full ? [] : (['out', 'err'] as const)) {
      const end = olderThanMs === 0;
      if (end) this.#rest[stream] += this.#decoders[stream].end();
      const rest = this.#rest[stream];
      if (rest === '' || now - this.#restSince[stream] < olderThanMs) continue;
      this.#rest[stream] = '';
      this.#append(this.#record(stream, rest, now, !end));
    }
    this.#append('');
  }

  /** True while the disk takes no more and records wait in memory. */
  get blocked(): boolean {
    return this.#pending.length > 0;
  }

  #split(stream: Stream, line: string, now: number, unfinished: boolean): string {
    if (line.length <= LONGEST_PART) return this.#record(stream, line, now, unfinished);
    let records = '';
    for (let at = 0, end = 0; at < line.length; at = end) {
      end = Math.min(at + LONGEST_PART, line.length);
      // Never between the two halves of one character.
      if (end < line.length && /[\ud800-\udbff]/.test(line.charAt(end - 1))) end -= 1;
      records += this.#record(stream, line.slice(at, end), now, unfinished || end < line.length);
    }
    return records;
  }

  #record(stream: Stream, text: string, now: number, unfinished: boolean): string {
    let d = unfinished ? text : text.replace(/\r$/, '');
    for (const mask of this.#masks) if (d.includes(mask)) d = d.replaceAll(mask, '***');
    const record: LogRecord = { n: this.#next++, t: now, s: stream, d, ...(unfinished ? { p: true } : {}) };
    return `${JSON.stringify(record)}\n`;
  }

  #append(records: string): void {
    let bytes = records === '' ? this.#pending : Buffer.concat([this.#pending, Buffer.from(records)]);
    try {
      while (bytes.length > 0) {
        const written = writeSync(this.#file, bytes);
        this.size += written;
        bytes = bytes.subarray(written);
      }
    } catch (error) {
      const code = (error as NodeJS.ErrnoException).code;
      if (code !== 'ENOSPC' && code !== 'EDQUOT' && code !== 'EIO') throw error;
    }
    this.#pending = bytes;
  }
}
