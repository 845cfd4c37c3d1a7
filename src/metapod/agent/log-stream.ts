/**
 * One rank's log on its way to the control plane.
 *
 * The supervisor writes, this reads behind it; what the server has acknowledged is written back (`log.shipped`), by
 * which the supervisor knows how much it buffers. Lines are numbered from 0 on the wire. The server may ask for an
 * earlier line (it lost what was not durable): then the log is read again from its beginning up to there. A record
 * that the disk damaged is replaced by a line that says so, so that numbers have no gaps.
 */
import { statSync } from 'node:fs';
import { join } from 'node:path';
import { z } from 'zod';
import type { AgentMessage } from '../../common/contract/agent/protocol.ts';
import { readJson, writeAtomic } from './supervisor/files.ts';
import { FILES, type LogRecord, readLog, writeShipped } from './supervisor/index.ts';

type LogsMessage = Extract<AgentMessage, { type: 'logs' }>;

interface Position {
  /** Byte of `log.ndjson`. */
  offset: number;
  /** Line that begins there, from 0. */
  line: number;
}

interface SentFrame {
  readonly end: Position;
  readonly firstLine: number;
  readonly bytes: number;
  readonly complete: boolean;
  readonly sentAt: number;
  /** Sent before the server asked for an earlier line: its answer says nothing any more. */
  stale: boolean;
}

/** Bytes read for one frame; with the framing around it, below the largest frame. */
const pageBytes = 256 * 1024;
const positionFile = z.object({ offset: z.int().min(0), line: z.int().min(0) });
const positionName = 'shipped.json';

export class LogStream {
  readonly #dir: string;
  readonly #id: { readonly attemptId: string; readonly rank: number; readonly token: string };
  #acked: Position;
  #sent: Position;
  #flying: SentFrame[] = [];
  #isDone: boolean;

  /** @param isDone an earlier agent had its end acknowledged: there is nothing to send, and the folder may vanish */
  constructor(dir: string, id: { attemptId: string; rank: number; token: string }, isDone = false) {
    this.#dir = dir;
    this.#id = id;
    this.#isDone = isDone;
    const found = readJson(join(dir, positionName));
    const parsed = found.kind === 'ok' ? positionFile.safeParse(found.value) : undefined;
    const size = statSync(join(dir, FILES.log), { throwIfNoEntry: false })?.size ?? 0;
    this.#acked = parsed?.success && parsed.data.offset <= size ? parsed.data : { offset: 0, line: 0 };
    this.#sent = this.#acked;
  }

  /** The server has all of it, or does not want it. */
  get isDone(): boolean {
    return this.#isDone;
  }

  /** Bytes on the way. */
  get flyingBytes(): number {
    return this.#flying.reduce((sum, frame) => sum + frame.bytes, 0);
  }

  /** The socket was lost: what was not acknowledged is sent again. */
  reset(): void {
    this.#flying = [];
    this.#sent = this.#acked;
  }

  /**
   * The next frame, or undefined when there is nothing to send now.
   * @param hasEnded nothing will be written to the log any more
   * @param wantedBytes about how large it may be; one record may be larger
   */
  next(hasEnded: boolean, wantedBytes = pageBytes): LogsMessage | undefined {
    if (this.#isDone || this.#flying.some((frame) => frame.complete && !frame.stale)) return undefined;
    const page = readLog(this.#dir, this.#sent.offset, pageBytes, wantedBytes);
    const size = statSync(join(this.#dir, FILES.log), { throwIfNoEntry: false })?.size ?? 0;
    // A torn end is what a crash left of a record; nobody will finish it.
    const complete = hasEnded && page.nextOffset + page.unfinishedBytes >= size;
    const lines = wireLines(page.records, this.#sent.line, page.corruptLines);
    if (lines.length === 0 && !complete) return undefined;
    const firstLine = this.#sent.line;
    const end = { offset: page.nextOffset, line: firstLine + lines.length };
    const text = lines.map((line) => `${line}\n`).join('');
    this.#flying.push({ end, firstLine, bytes: text.length, complete, sentAt: performance.now(), stale: false });
    this.#sent = end;
    return { type: 'logs', ...this.#id, firstLine, lineCount: lines.length, lines: text, complete };
  }

  /**
   * Takes the server's answer to the oldest unanswered frame.
   * @returns milliseconds that it took; undefined where the answer says nothing of the network
   */
  acknowledge(nextLine: number, refused: boolean): number | undefined {
    const frame = this.#flying.shift();
    if (this.#isDone) return undefined;
    if (refused) {
      this.#isDone = true;
      return undefined;
    }
    if (frame === undefined || frame.stale) return undefined;
    if (nextLine < frame.end.line) {
      this.#rewind(nextLine);
      return undefined;
    }
    this.#acked = frame.end;
    writeAtomic(join(this.#dir, positionName), JSON.stringify(this.#acked), false);
    writeShipped(this.#dir, this.#acked.offset);
    if (frame.complete) this.#isDone = true;
    return performance.now() - frame.sentAt;
  }

  #rewind(line: number): void {
    for (const frame of this.#flying) frame.stale = true;
    let position: Position = { offset: 0, line: 0 };
    // Whole pages from the start; the server cuts off what it has of the first one.
    for (;;) {
      const page = readLog(this.#dir, position.offset, pageBytes);
      const end = position.line + wireLines(page.records, position.line, page.corruptLines).length;
      if (page.nextOffset === position.offset || end > line) break;
      position = { offset: page.nextOffset, line: end };
    }
    this.#acked = position;
    this.#sent = position;
  }
}

/** Records as wire lines numbered from `firstLine`; numbers that are missing between records become a notice. */
export function wireLines(records: readonly LogRecord[], firstLine: number, corruptLines: number): string[] {
  const lines: string[] = [];
  const add = (t: number, s: 'out' | 'err', d: string, p?: true) =>
    lines.push(JSON.stringify({ n: firstLine + lines.length, t, s, d, ...(p && { p }) }));
  const damaged = (t: number) => add(t, 'err', '[solyx: this line was damaged on the disk of the node]');
  for (const { n, t, s, d, p } of records) {
    // The supervisor numbers from 1.
    while (firstLine + lines.length < n - 1 && lines.length < 100_000 - records.length) damaged(t);
    add(t, s === 'err' ? 'err' : 'out', d, p);
  }
  // Damaged at the very end: no record follows by whose number they would show.
  if (records.length === 0) for (let index = 0; index < corruptLines; index += 1) damaged(Date.now());
  return lines;
}
