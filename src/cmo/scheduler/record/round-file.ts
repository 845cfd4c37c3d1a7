/**
 * A round as a file: its inputs and its plan, exact to the bit, so that it can be replayed elsewhere and later.
 *
 * JSON knows neither NaN nor Infinity nor bigint, and all three occur; typed columns are written as base64 of their bytes, single numbers
 * and bigints as tagged texts.
 */
import type { Plan } from '../../../common/contract/plan.ts';
import { planOf } from '../core/schedule.ts';
import type { PendingJob, Policy, Snapshot } from '../core/snapshot.ts';
import type { RoundRecord } from '../worker/round-engine.ts';

const format = 'solyx-round/1';

export interface RecordedRound {
  readonly snapshot: Snapshot;
  readonly jobs: readonly PendingJob[];
  readonly policy: Policy;
  readonly now: number;
  readonly round: number;
  readonly plan: Plan;
}

const columnTypes = { Float64Array, Int32Array, Uint8Array } as const;
type ColumnName = keyof typeof columnTypes;

/** Writes a round that has just been planned. */
export function encodeRound({ outcome, ...inputs }: RoundRecord): string {
  return JSON.stringify({ format, ...inputs, plan: sorted(planOf(outcome, inputs.round)) }, (_, value) => tag(value));
}

/**
 * Reads a round back.
 * @throws SyntaxError when the text is no JSON, Error when it is not a recorded round
 */
export function decodeRound(text: string): RecordedRound {
  const value: unknown = JSON.parse(text, (_, inner) => untag(inner));
  if (typeof value !== 'object' || value === null || !('format' in value) || value.format !== format) {
    throw new Error(`not a recorded round (${format})`);
  }
  return value as unknown as RecordedRound;
}

/** A plan with its verdicts in the order of the jobs' ids: groups are found in the order of arrival, which a file does not keep. */
export function sorted(plan: Plan): Plan {
  return { ...plan, pending: [...plan.pending].sort((a, b) => (a.jobId < b.jobId ? -1 : 1)) };
}

function tag(value: unknown): unknown {
  if (typeof value === 'bigint') return { $bigint: String(value) };
  if (typeof value === 'number' && !Number.isFinite(value)) return { $number: String(value) };
  if (ArrayBuffer.isView(value)) {
    return {
      $column: value.constructor.name,
      bytes: Buffer.from(value.buffer, value.byteOffset, value.byteLength).toString('base64'),
    };
  }
  return value;
}

function untag(value: unknown): unknown {
  if (typeof value !== 'object' || value === null) return value;
  if ('$bigint' in value) return BigInt(String(value.$bigint));
  if ('$number' in value) return Number(value.$number);
  if ('$column' in value && 'bytes' in value) {
    const bytes = Uint8Array.from(Buffer.from(String(value.bytes), 'base64'));
    return new columnTypes[value.$column as ColumnName](bytes.buffer);
  }
  return value;
}
