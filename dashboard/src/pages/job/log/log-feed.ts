/**
 * Keeps a log buffer supplied: the newest lines as they come, older ones when somebody looks at them.
 *
 * The stream of the server (NDJSON) begins near the end of what is there and is taken up again where it broke off. What is
 * before its beginning is read page by page, one request at a time, for the rows on screen. Views are told at most ten
 * times a second, however fast the job prints.
 */
import { readProblem } from '../../../api/problem.ts';
import { pathOf, queryText, request } from '../../../api/request.ts';
import { LogBuffer, type LogLine, pageLines } from './log-buffer.ts';

export interface LogPlaceOf {
  readonly jobId: string;
  /** Number of the attempt. */
  readonly attempt: number;
  readonly rank: number;
}

export type FeedState =
  | { readonly kind: 'connecting' }
  | { readonly kind: 'live' }
  | { readonly kind: 'reconnecting'; readonly why: string }
  | { readonly kind: 'complete' }
  /** The lines were deleted for their age. */
  | { readonly kind: 'removed'; readonly at: string }
  | { readonly kind: 'failed'; readonly error: unknown };

/** Frames of the stream; a heartbeat has none of these. */
interface Frame extends Partial<LogLine> {
  readonly attempt?: number;
  readonly fromLine?: number;
  readonly end?: { readonly nextLine: number };
}

/** Silence after which a connection counts as lost, milliseconds; the server sends something every five seconds. */
const silenceMs = 15_000;
const tellEveryMs = 100;

export class LogFeed {
  readonly buffer = new LogBuffer();
  readonly #place: LogPlaceOf;
  readonly #listeners = new Set<() => void>();
  readonly #stopped = new AbortController();
  #state: FeedState = { kind: 'connecting' };
  #version = 0;
  #telling: ReturnType<typeof setTimeout> | undefined;
  #reading = false;
  #wanted: { readonly from: number; readonly limit: number } | undefined;

  constructor(place: LogPlaceOf) {
    this.#place = place;
  }

  get state(): FeedState {
    return this.#state;
  }

  /** For `useSyncExternalStore`. */
  readonly subscribe = (listener: () => void): (() => void) => {
    this.#listeners.add(listener);
    return () => this.#listeners.delete(listener);
  };
  readonly version = (): number => this.#version;

  /** Begins; call `stop` to end. */
  start(): void {
    void this.#run();
  }

  stop(): void {
    this.#stopped.abort();
    clearTimeout(this.#telling);
  }

  /** Asks for the lines of some rows, if they are not held. */
  want(fromRow: number, toRow: number): void {
    this.#wanted = this.buffer.firstMissing(fromRow, toRow);
    if (this.#wanted !== undefined && !this.#reading) void this.#readWanted();
  }

  async #readWanted(): Promise<void> {
    this.#reading = true;
    try {
      while (this.#wanted !== undefined && !this.#stopped.signal.aborted) {
        const { from, limit } = this.#wanted;
        this.#wanted = undefined;
        const page = await this.readPage(from, limit);
        this.buffer.add(page.lines);
        // What the server skips over will not come.
        if (page.lines.length === 0) this.buffer.addGap(from, Math.min(limit, this.buffer.lineCount - from));
        this.#tell();
      }
    } catch {
      // The view asks again when it is drawn again.
    } finally {
      this.#reading = false;
    }
  }

  /** Reads lines from a place on. @param limit 1–10,000 */
  async readPage(fromLine: number, limit: number, signal?: AbortSignal) {
    const { jobId, attempt, rank } = this.#place;
    return await request(
      'GET /v1/jobs/:id/logs',
      { params: { id: jobId }, query: { attempt, rank, fromLine, limit } },
      { signal: signal ? AbortSignal.any([signal, this.#stopped.signal]) : this.#stopped.signal },
    );
  }

  async #run(): Promise<void> {
    const { signal } = this.#stopped;
    for (let failures = 0; !signal.aborted; ) {
      try {
        const end = await this.#begin(() => {
          failures = 0;
        });
        if (end !== undefined) {
          this.#become(end);
          return;
        }
      } catch (error) {
        if (signal.aborted) return;
        const { status, message } = error as { status?: number; message: string };
        if (status !== undefined && status >= 400 && status < 500 && status !== 429) {
          this.#become({ kind: 'failed', error });
          return;
        }
        this.#become({ kind: 'reconnecting', why: message });
      }
      failures += 1;
      await pause(Math.min(5_000, 200 * 2 ** failures) * (0.5 + Math.random() / 2), signal);
    }
  }

  /** Reads the end of what is there and goes on with what comes. @returns how the log ended; undefined: it goes on */
  async #begin(onAnswer: () => void): Promise<FeedState | undefined> {
    const known = this.buffer.lineCount;
    const first = await this.readPage(known, pageLines);
    onAnswer();
    if (first.removedAt !== null) return { kind: 'removed', at: first.removedAt };
    this.buffer.add(first.lines);
    this.buffer.grow(first.end);
    this.#tell();
    if (first.complete) return { kind: 'complete' };
    const from = Math.max(first.nextLine, this.buffer.lineCount - pageLines);
    for await (const frame of this.#frames(from)) {
      // The stream goes on with the next attempt; this one is whole then.
      if (frame.attempt !== undefined && frame.attempt !== this.#place.attempt) return { kind: 'complete' };
      if (frame.end !== undefined) return { kind: 'complete' };
      this.#become({ kind: 'live' });
      if (frame.line !== undefined) this.#take(frame as LogLine);
    }
    return undefined;
  }

  #take(line: LogLine): void {
    this.buffer.add([line]);
    this.#tell();
  }

  async *#frames(fromLine: number): AsyncGenerator<Frame> {
    const { jobId, attempt, rank } = this.#place;
    const silence = new AbortController();
    let timer = setTimeout(() => silence.abort(), silenceMs);
    try {
      const query = queryText({ attempt, rank, fromLine, follow: true });
      const response = await fetch(pathOf('/v1/jobs/:id/logs', { id: jobId }) + query, {
        credentials: 'same-origin',
        headers: { accept: 'application/x-ndjson', 'x-solyx-client': 'dashboard' },
        signal: AbortSignal.any([this.#stopped.signal, silence.signal]),
      });
      if (!response.ok)
        throw readProblem(response.status, response.headers, await response.json().catch(() => undefined));
      let rest = '';
      const reader = response.body!.pipeThrough(new TextDecoderStream()).getReader();
      for (;;) {
        const { done, value } = await reader.read();
        if (done) return;
        clearTimeout(timer);
        timer = setTimeout(() => silence.abort(), silenceMs);
        const lines = (rest + value).split('\n');
        rest = lines.pop() ?? '';
        for (const line of lines) yield JSON.parse(line) as Frame;
      }
    } finally {
      clearTimeout(timer);
      silence.abort();
    }
  }

  #become(state: FeedState): void {
    if (this.#state.kind === state.kind) return;
    this.#state = state;
    this.#tell();
  }

  #tell(): void {
    this.#telling ??= setTimeout(() => {
      this.#telling = undefined;
      this.#version += 1;
      for (const listener of this.#listeners) listener();
    }, tellEveryMs);
  }
}

function pause(ms: number, signal: AbortSignal): Promise<void> {
  return new Promise((resolve) => {
    const timer = setTimeout(resolve, ms);
    signal.addEventListener('abort', () => {
      clearTimeout(timer);
      resolve();
    });
  });
}
