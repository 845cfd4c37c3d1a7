/** A trace file that cannot be right: which line, and what is wrong with it. Nothing of it is used. */
export class TraceError extends Error {
  override readonly name = 'TraceError';
  /** Counted from 1, comments and header included. */
  readonly line: number;

  constructor(line: number, problem: string) {
    super(`line ${line}: ${problem}`);
    this.line = line;
  }
}

/** A field as a number. @throws TraceError naming the field */
export function numberField(line: number, name: string, text: string | undefined): number {
  if (text === undefined || text === '') throw new TraceError(line, `${name} is missing`);
  const value = Number(text);
  if (!Number.isFinite(value)) throw new TraceError(line, `${name} is no number: ${text.slice(0, 40)}`);
  return value;
}

/** A whole number of cores or devices, ≥ 1. @throws TraceError */
export function sizeField(line: number, name: string, text: string | undefined): number {
  const value = numberField(line, name, text);
  if (!Number.isInteger(value) || value < 1)
    throw new TraceError(line, `${name} must be a whole number ≥ 1, not ${text}`);
  return value;
}

/** Seconds ≥ 0. @throws TraceError */
export function secondsField(line: number, name: string, text: string | undefined): number {
  const value = numberField(line, name, text);
  if (value < 0) throw new TraceError(line, `${name} must not be negative, but is ${text}`);
  return value;
}

/** Refuses a submission before the one in the line above it. */
export function requireSorted(line: number, before: number, submittedAt: number): void {
  if (submittedAt < before) throw new TraceError(line, `submitted ${before - submittedAt} s before the job above it`);
}
