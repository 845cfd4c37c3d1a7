/**
 * Following a log over HTTP: NDJSON frames, resumed at the next line whenever the connection is lost.
 *
 * The server sends a heartbeat every few seconds, so silence means a dead connection and not a quiet job.
 */
import { setTimeout as wait } from 'node:timers/promises';
import type { z } from 'zod';
import { type Code, SolyxError } from '../errors/index.ts';
import type { Send } from './client.ts';
import type { logFrame, logLine } from './routes/jobs.ts';

export type LogLine = z.output<typeof logLine>;
export type LogFrame = Exclude<z.output<typeof logFrame>, { heartbeat: string }>;

export interface FollowOptions {
  /** Number of the attempt; default: the newest, and those that follow it. */
  readonly attempt?: number;
  readonly rank?: number;
  /** First line wanted, ≥ 0. */
  readonly fromLine?: number;
  readonly signal?: AbortSignal;
  /** Silence after which a connection counts as lost, seconds > 0; default 20. */
  readonly silenceSeconds?: number;
  /** Most attempts in a row to get the connection back, ≥ 0; default 8. */
  readonly retries?: number;
}

const passing = new Set<Code>([
  'server_unreachable',
  'database_unavailable',
  'database_timeout',
  'not_ready',
  'rate_limited',
]);

/** Yields where an attempt's lines begin, the lines, and `end` as the last frame. */
export async function* followLogs(send: Send, jobId: string, options: FollowOptions = {}): AsyncGenerator<LogFrame> {
  let attempt = options.attempt;
  let fromLine = options.fromLine ?? 0;
  let failures = 0;
  for (;;) {
    try {
      for await (const frame of readFrames(send, jobId, { attempt, fromLine }, options)) {
        failures = 0;
        if ('heartbeat' in frame) continue;
        if ('line' in frame) fromLine = frame.line + 1;
        else if ('fromLine' in frame) {
          const resumed = attempt === frame.attempt && fromLine === frame.fromLine && fromLine > 0;
          ({ attempt, fromLine } = frame);
          if (resumed) continue;
        }
        yield frame;
        if ('end' in frame) return;
      }
      if (failures >= (options.retries ?? 8)) throw new SolyxError('server_unreachable', 'The log stream broke off.');
    } catch (error) {
      if (options.signal?.aborted || !(error instanceof SolyxError) || !passing.has(error.code)) throw error;
      if (failures >= (options.retries ?? 8)) throw error;
    }
    failures += 1;
    const pause = Math.min(5_000, 100 * 2 ** failures) * (0.5 + Math.random() / 2);
    await wait(pause, undefined, options.signal ? { signal: options.signal } : {});
  }
}

/** Frames of one connection. It ends without `end` when the connection was lost or fell silent. */
async function* readFrames(
  send: Send,
  jobId: string,
  place: { readonly attempt: number | undefined; readonly fromLine: number },
  options: FollowOptions,
): AsyncGenerator<z.output<typeof logFrame>> {
  const silence = new AbortController();
  const silenceMs = (options.silenceSeconds ?? 20) * 1000;
  const timer = setTimeout(() => silence.abort(), silenceMs);
  try {
    const response = await send(
      'getJobLogs',
      { params: { id: jobId }, query: { ...place, rank: options.rank, follow: true } },
      { signal: options.signal ? AbortSignal.any([options.signal, silence.signal]) : silence.signal },
    );
    let rest = '';
    const decoder = new TextDecoder();
    for await (const bytes of response.body!) {
      timer.refresh();
      const lines = (rest + decoder.decode(bytes, { stream: true })).split('\n');
      rest = lines.pop()!;
      for (const line of lines) yield JSON.parse(line) as z.output<typeof logFrame>;
    }
  } catch (error) {
    if (options.signal?.aborted || error instanceof SolyxError) throw error;
    // A body that broke off, or the silence: the caller takes up the thread again.
  } finally {
    clearTimeout(timer);
    silence.abort();
  }
}
