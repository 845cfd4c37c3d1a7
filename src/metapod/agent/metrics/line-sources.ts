/** Metrics as lines of JSON: the file `$SOLYX_METRICS`, and what a job prints that has none. */
import { statSync } from 'node:fs';
import { join } from 'node:path';
import { FILES, type LogRecord } from '../supervisor/index.ts';
import type { MetricBatch } from './batch.ts';
import { readChunk } from './job-file.ts';
import { parseMetricLine } from './metric-line.ts';
import type { Position } from './position.ts';

/** Name of `$SOLYX_METRICS` in the attempt's folder for metrics. */
export const metricsFileName = 'metrics.ndjson';

/** Bytes of one round, which nothing else of the agent can interrupt. */
const roundBytes = { file: 524_288, log: 1_048_576 };
/** What lies behind is not read: it bounds how long the end of a job can be held up. */
const mostBytes = 256 * 1_048_576;

/**
 * Reads on in the file of metrics. A file that is shorter than before was begun anew and is read from its beginning.
 * @param hasEnded nobody writes any more: a last line without its end is a line
 * @returns whether there is more to read now
 */
export function readMetricsFile(dir: string, position: Position, batch: MetricBatch, hasEnded: boolean): boolean {
  if (position.file >= mostBytes) return false;
  const chunk = readChunk(join(dir, FILES.metrics), metricsFileName, position.file, roundBytes.file);
  if (chunk === undefined) return false;
  const now = Date.now();
  const isEnd = hasEnded && chunk.offset + chunk.bytes.length >= chunk.size;
  const length = takeLines(chunk.bytes, isEnd, roundBytes.file, batch, (line) => {
    const parsed = parseMetricLine(line);
    if (parsed === undefined) {
      if (line.trim() !== '') batch.ignored += 1;
      return;
    }
    batch.ignored += parsed.ignored;
    for (const [name, value] of parsed.values) batch.add(name, parsed.step, parsed.at ?? now, value);
  });
  position.file = chunk.offset + length;
  return length > 0 && position.file < Math.min(chunk.size, mostBytes);
}

/**
 * Reads on in the log for metrics that the job printed to stdout. They count only as long as it has written no file:
 * programs print for people what they also write, and everything would count twice.
 * @returns whether there is more to read now
 */
export function readPrinted(dir: string, position: Position, batch: MetricBatch, hasEnded: boolean): boolean {
  const written = statSync(join(dir, FILES.metrics, metricsFileName), { throwIfNoEntry: false })?.size ?? 0;
  if (position.file > 0 || written > 0) return false;
  const chunk = readChunk(dir, FILES.log, position.log, roundBytes.log);
  if (chunk === undefined) return false;
  // The log is our own: a shorter one than before would be a new one, and a torn end belongs to nobody.
  const isEnd = hasEnded && chunk.offset + chunk.bytes.length >= chunk.size;
  const length = takeLines(chunk.bytes, isEnd, roundBytes.log, batch, (line) => {
    // In a record the job's text is escaped once more; most lines are not even parsed.
    if (!line.includes('\\"step\\"') || !line.includes('"s":"out"')) return;
    const record = parseRecord(line);
    if (record === undefined || record.s !== 'out' || record.p === true) return;
    const parsed = parseMetricLine(record.d);
    if (parsed === undefined) return;
    batch.ignored += parsed.ignored;
    for (const [name, value] of parsed.values) batch.add(name, parsed.step, parsed.at ?? record.t, value);
  });
  position.log = chunk.offset + length;
  return length > 0 && position.log < chunk.size;
}

function parseRecord(line: string): LogRecord | undefined {
  try {
    return JSON.parse(line) as LogRecord;
  } catch {
    return undefined;
  }
}

/**
 * Hands out whole lines of some bytes, as long as there is room in the batch.
 * @param isEnd nothing comes behind them
 * @param most bytes that were asked for: so many without a line break are no line and are left behind
 * @returns bytes that were dealt with
 */
function takeLines(
  bytes: Buffer,
  isEnd: boolean,
  most: number,
  batch: MetricBatch,
  take: (line: string) => void,
): number {
  const whole = bytes.lastIndexOf(0x0a) + 1;
  const length = isEnd || (whole === 0 && bytes.length >= most) ? bytes.length : whole;
  let at = 0;
  while (at < length && !batch.isFull) {
    const found = bytes.indexOf(0x0a, at);
    const end = found < 0 ? length : found;
    if (end > at) take(bytes.toString('utf8', at, end));
    at = Math.min(length, end + 1);
  }
  return at;
}
