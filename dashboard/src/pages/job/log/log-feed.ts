/**
 * Keeps a log buffer supplied: the newest lines as they come, older ones when somebody looks at them.
 *
 * The beginning and the end of what is there are read at once; then the live connection brings what is printed, and while
 * it is away the end is asked for again and again. A reader that was too slow for a flood is told how far the log has come
 * and reads the lines between page by page, one request at a time, when they are on screen. Views are told at most ten
 * times a second, however fast the job prints.
 */

import type { LogsPart } from '../../../../../src/common/contract/live.ts';
import { asProblem, isPassing } from '../../../api/problem.ts';
import { request } from '../../../api/request.ts';
import { LogBuffer, pageLines } from './log-buffer.ts';

export interface LogPlaceOf {
  readonly jobId: string;
  /** Number of the attempt. */
  readonly attempt: number;
  readonly rank: number;
}

export type FeedState =
  | { readonly kind: 'connecting' }
  /** The end was read and the log goes on. */
  | { readonly kind: 'open' }
  | { readonly kind: 'complete' }
  /** The lines were deleted for their age. */
  | { readonly kind: 'removed'; readonly at: string }
  | { readonly kind: 'failed'; readonly error: unknown };

const tellEveryMs = 100;
/** Between two looks at the end while there is no live connection, milliseconds. */
const lookMs = 2_000;
/**
 * The server counts a log as whole some seconds after the end of its attempt, though a node under load may still be sending. So it is
 * looked at again after these pauses, milliseconds.
 */
const afterlooksMs = [4_000, 12_000, 40_000];

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

  /** Whether the live connection brings new lines; while it does not, the end is asked for. */
  isLive = false;

  /** Whether more may come. */
  get isOpen(): boolean {
    return this.#state.kind === 'connecting' || this.#state.kind === 'open';
  }

  /** Takes what the live connection brings. */
  readonly take = (part: LogsPart): void => {
    const { attempt, rank } = this.#place;
    if (part.attempt !== attempt || part.rank !== rank) return;
    this.buffer.add(part.lines);
    this.buffer.grow(part.nextLine);
    if (part.complete) this.#become({ kind: 'complete' });
    this.#tell();
  };

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
    for (let failures = 0; !signal.aborted && this.isOpen; ) {
      try {
        if (this.#state.kind === 'connecting' || !this.isLive) await this.#look();
        failures = 0;
      } catch (error) {
        if (signal.aborted) return;
        if (!isPassing(asProblem(error))) {
          this.#become({ kind: 'failed', error });
          return;
        }
        failures += 1;
      }
      await pause(Math.min(5, 1 + failures) * lookMs * (0.5 + Math.random() / 2), signal);
    }
    for (const ms of afterlooksMs) {
      await pause(ms, signal);
      if (signal.aborted || this.#state.kind !== 'complete') return;
      // The state stays; what came meanwhile is there.
      await this.#look().catch(() => {});
    }
  }

  /** Reads what came since the last look; of much only the end. */
  async #look(): Promise<void> {
    const known = this.buffer.lineCount;
    let page = await this.readPage(known, pageLines);
    if (page.removedAt !== null) return this.#become({ kind: 'removed', at: page.removedAt });
    this.buffer.add(page.lines);
    if (page.nextLine < page.end) {
      page = await this.readPage(Math.max(page.nextLine, page.end - pageLines), pageLines);
      this.buffer.add(page.lines);
    }
    this.buffer.grow(page.end);
    this.#become(page.complete ? { kind: 'complete' } : { kind: 'open' });
    this.#tell();
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
