/**
 * Training metrics on the wire (protocol 2): what a rank wrote to `$SOLYX_METRICS`, printed, or left as TensorBoard
 * event files, in batches.
 *
 * The agent keeps nothing of its own: a batch carries the position in the job's files up to which it reads, and the
 * server stores that in the transaction that stores the points. Batches of a rank are numbered; one that is not the
 * next is not taken, and every answer says where the server stands, so that an agent that was killed, or a server that
 * was restored from a backup, goes on exactly there and no value is lost or counted twice. One batch of a rank is on
 * the way at a time, which bounds both ends.
 */
import { z } from 'zod';
import { attemptId, rank, token } from './parts.ts';

/** What bounds the metrics of a job, whatever it writes. */
export const metricLimits = {
  /** Series of one rank, and of an attempt with all its ranks. */
  seriesPerRank: 64,
  seriesPerAttempt: 256,
  /** Points of a series; beyond, neighbouring steps are joined two by two until half of it is left. */
  pointsPerSeries: 4096,
  /** Points of one batch over all its series. */
  pointsPerBatch: 4096,
  /** Newest attempts of a job whose metrics are kept. */
  attemptsPerJob: 16,
  /** Characters of a name. */
  nameLength: 128,
  /** Values beyond ± this are gaps, as NaN and the infinities are: sums and means of others stay finite. */
  magnitude: 1e290,
  /** Characters of a position. */
  positionLength: 16_384,
} as const;

/** A name begins with a letter, a digit or `_` and holds nothing invisible or that changes the direction of writing. */
const nameForm = /^[\p{L}\p{N}_][^\p{C}\p{Zl}\p{Zp}]*$/u;

/** Whether a series may have this name. */
export const isMetricName = (name: string): boolean => name.length <= metricLimits.nameLength && nameForm.test(name);

const value = z.number().min(-metricLimits.magnitude).max(metricLimits.magnitude).nullable();
const whole = z.int().min(0);
/** A frame of these is small; sums of counts never overflow. */
const count = z.int().min(0).max(1_000_000_000);

/** [lowest step, newest time in ms since 1970, values, gaps, lowest, highest, mean]; the last three null without a value. */
const point = z.tuple([whole, whole.max(8.64e15), count, count, value, value, value]);
export type WirePoint = z.infer<typeof point>;

const series = z.object({
  name: z.string().refine(isMetricName),
  /** Steps that one point covers, a power of two. */
  width: z
    .int()
    .min(1)
    .max(2 ** 52),
  points: z.array(point).max(metricLimits.pointsPerBatch),
});
export type WireSeries = z.infer<typeof series>;

const position = z.string().max(metricLimits.positionLength);

export const metricsFrame = z.object({
  type: z.literal('metrics'),
  attemptId,
  rank,
  token,
  /** Number of the batch, from 0. */
  seq: whole,
  /** Null asks where the server stands. */
  batch: z
    .object({
      series: z.array(series).max(metricLimits.seriesPerRank),
      /** Where the agent stands in the job's files after this batch; only the agent understands it. */
      position,
      /** Values and lines that were not taken. */
      ignored: whole.max(1_000_000_000),
      /** The job has ended and this was the last. */
      complete: z.boolean(),
    })
    .nullable(),
});
export type MetricsFrame = z.infer<typeof metricsFrame>;
export type MetricsBatch = NonNullable<MetricsFrame['batch']>;

/** The server has every batch below `next`, and `position` with the last of them; `''` before the first. */
export const metricsAck = z.object({
  type: z.literal('metricsAck'),
  attemptId,
  rank,
  next: whole,
  position,
  complete: z.boolean(),
  /** Nothing of this rank is taken, now or later: it was never placed on this node, or under another token. */
  refused: z.boolean().optional(),
});
export type MetricsAck = z.infer<typeof metricsAck>;
