/**
 * One line of training metrics: `{"step": 12, "loss": 0.5}`.
 *
 * A line counts when it is a JSON object whose `step` is a whole number ≥ 0; its other numbers are values, each of the
 * series of its name. Python writes NaN and Infinity, which are no JSON, and a run that diverges is just the one to be
 * seen, so they are taken as gaps; so is null, which JavaScript writes for them. Text, flags and nested objects are left
 * alone, as are the numbers that every logger adds: a time, a level, a process id.
 */
import { isMetricName, metricLimits } from '../../../common/contract/agent/metrics.ts';

export interface MetricLine {
  readonly step: number;
  /** Ms since 1970; undefined when the line has no time. */
  readonly at: number | undefined;
  /** Null: a gap. */
  readonly values: readonly (readonly [name: string, value: number | null])[];
  /** Values whose names cannot be series. */
  readonly ignored: number;
}

const timeNames = ['time', 'timestamp', 'ts'];
const notValues = new Set(['step', 'level', 'pid', ...timeNames]);
const gapWords = new Set(['NaN', 'Infinity', '-Infinity']);
/** Longest line that is looked at, characters. */
const longestLine = 65_536;
/** Numbers below are seconds since 1970, those above milliseconds: 1e11 s is in the year 5138. */
const latestSeconds = 1e11;
const latestMs = 8.64e15;

/** What a line says, or undefined when it is no line of metrics. */
export function parseMetricLine(line: string): MetricLine | undefined {
  if (line.length > longestLine) return undefined;
  const text = line.trim();
  if (!text.startsWith('{') || !text.endsWith('}') || !text.includes('"step"')) return undefined;
  const value = parseObject(text);
  if (value === undefined || !Number.isSafeInteger(value.step) || (value.step as number) < 0) return undefined;
  const values: [string, number | null][] = [];
  let ignored = 0;
  for (const [name, item] of Object.entries(value)) {
    if (notValues.has(name)) continue;
    const number = numberOf(item);
    if (number === undefined) continue;
    if (isMetricName(name)) values.push([name, number]);
    else ignored += 1;
  }
  if (values.length === 0 && ignored === 0) return undefined;
  return { step: value.step as number, at: timeOf(value), values, ignored };
}

function parseObject(text: string): Record<string, unknown> | undefined {
  const parsed = parseJson(text);
  if (parsed !== undefined || !(text.includes('NaN') || text.includes('Infinity'))) return parsed;
  return parseJson(quoteGaps(text));
}

function parseJson(text: string): Record<string, unknown> | undefined {
  try {
    return JSON.parse(text) as Record<string, unknown>;
  } catch {
    return undefined;
  }
}

/** Puts NaN and the infinities between quotes, outside of strings. One pass: a regular expression would take n² steps. */
function quoteGaps(text: string): string {
  let quoted = '';
  let inString = false;
  for (let at = 0; at < text.length; ) {
    const word = inString ? undefined : [...gapWords].find((candidate) => text.startsWith(candidate, at));
    if (word !== undefined) {
      quoted += `"${word}"`;
      at += word.length;
      continue;
    }
    const character = text[at]!;
    if (character === '"') inString = !inString;
    const length = inString && character === '\\' ? 2 : 1;
    quoted += text.slice(at, at + length);
    at += length;
  }
  return quoted;
}

/** A finite number of bearable size, null for a gap, undefined for what is no number. */
export function numberOf(item: unknown): number | null | undefined {
  if (item === null || (typeof item === 'string' && gapWords.has(item))) return null;
  if (typeof item !== 'number') return undefined;
  return Math.abs(item) <= metricLimits.magnitude ? item : null;
}

function timeOf(value: Record<string, unknown>): number | undefined {
  for (const name of timeNames) {
    const item = value[name];
    const ms =
      typeof item === 'number'
        ? item * (item < latestSeconds ? 1000 : 1)
        : typeof item === 'string'
          ? Date.parse(item)
          : Number.NaN;
    const whole = wholeMs(ms);
    if (whole !== undefined) return whole;
  }
  return undefined;
}

/** An instant as the wire takes it, or undefined when it is none. @param ms since 1970 */
export function wholeMs(ms: number): number | undefined {
  return ms >= 0 && ms <= latestMs ? Math.round(ms) : undefined;
}
