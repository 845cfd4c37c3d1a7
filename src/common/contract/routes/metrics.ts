/**
 * What is measured over time: training metrics that jobs write, and what devices and nodes measured meanwhile.
 *
 * Points come as columns of equal length, which is how charts take them and a fifth of the size of objects. Times are
 * seconds from one instant that the answer names, so that curves of both kinds share one cursor.
 */
import { z } from 'zod';
import { metricLimits } from '../agent/metrics.ts';
import { id, instant, repeated, whole } from './parts.ts';
import { defineRoute } from './route.ts';

const metricName = z.string().min(1).max(metricLimits.nameLength);
const column = z.array(z.number().nullable());

const attempt = whole(1, 1_000_000).optional().describe('Number of the attempt. Default: the newest.');
const resolution = (most: number) =>
  whole(1, most).default(500).describe('Most points of a series; neighbours are joined until they fit.');

export const metricSeries = z.object({
  name: z.string(),
  rank: z.int(),
  values: z.number().min(0).describe('How many values came.'),
  gaps: z.number().min(0).describe('How many of them were NaN, infinite or null.'),
  min: z.number().nullable(),
  max: z.number().nullable(),
  last: z
    .object({ step: z.number(), value: z.number(), at: instant })
    .nullable()
    .describe('Of the highest step; the mean where several steps share a point.'),
  stepsPerPoint: z.number().min(1),
  points: z
    .object({
      step: z.array(z.number()).describe('Lowest step of the point.'),
      offsetSeconds: z.array(z.number()).describe('Since `from`, by the clock of the job.'),
      mean: column.describe('Null: a gap.'),
      min: column,
      max: column,
    })
    .describe('Columns of equal length, by step.'),
});

/** Training metrics of one attempt. */
export const jobMetrics = z
  .object({
    attempt: z.int().nullable().describe('Number of the attempt; null before the first.'),
    from: instant.nullable().describe('When it began to run, or was placed: where `offsetSeconds` count from.'),
    revision: z.number().describe('Grows with every change.'),
    complete: z.boolean().describe('The attempt has ended and all that it wrote is here.'),
    ignored: z.number().min(0).describe('Values and lines that were not taken.'),
    series: z.array(metricSeries),
  })
  .meta({ id: 'JobMetrics' });

export type MetricSeries = z.output<typeof metricSeries>;
export type JobMetrics = z.output<typeof jobMetrics>;

const telemetrySeries = z.object({
  name: z.string().describe('Like `utilizationRatio` or `powerWatts`; the unit is in the name.'),
  offsetSeconds: z.array(z.number()).describe('Begin of each interval, since `from`.'),
  mean: z.array(z.number()),
  max: z.array(z.number()),
});

const telemetry = z.object({
  from: instant,
  to: instant,
  intervalSeconds: z.int().min(10).describe('What one point covers.'),
  keptFrom: instant.describe('Older samples were thrown away.'),
  subjects: z.array(
    z.object({
      kind: z.enum(['node', 'device']),
      id: z.string(),
      nodeId: id('node'),
      rank: z.int().nullable().describe('Rank of the job that has it; null in the telemetry of a node.'),
      name: z.string().describe('Name of the node, or model of the device.'),
      index: z.int().nullable().describe('Of a device on its node.'),
      series: z.array(telemetrySeries),
    }),
  ),
});

const telemetryResolution = whole(1, 2_000).default(300).describe('Most points of a series.');

export const metricRoutes = {
  getJobMetrics: defineRoute('getJobMetrics', {
    summary: 'Read the training metrics of a job: losses, rates and whatever else it writes',
    access: { role: 'viewer' },
    params: z.strictObject({ id: id('job') }),
    query: z.strictObject({
      attempt,
      rank: whole(0, 4096).optional().describe('Only this rank of a gang. Default: all.'),
      name: repeated(metricName).optional().describe('Only series of this name; may be repeated. Default: all.'),
      resolution: resolution(metricLimits.pointsPerSeries),
    }),
    status: 200,
    answer: 'json',
    response: jobMetrics,
    errors: [],
  }),
  compareMetrics: defineRoute('compareMetrics', {
    summary: 'Read one metric of several jobs and attempts, to draw them over each other',
    access: { role: 'viewer' },
    query: z.strictObject({
      job: repeated(id('job')).describe('Id of a job; may be repeated, 1–16.'),
      name: metricName,
      attempts: z.enum(['newest', 'all']).default('newest').describe('Of each job.'),
      rank: whole(0, 4096).default(0),
      resolution: resolution(metricLimits.pointsPerSeries),
    }),
    status: 200,
    answer: 'json',
    response: z.object({
      name: z.string(),
      items: z
        .array(
          z.object({
            job: z.object({ id: id('job'), name: z.string() }),
            attempt: z.int(),
            from: instant.describe('Where `offsetSeconds` of this item count from.'),
            series: metricSeries,
          }),
        )
        .describe('In the order in which the jobs were asked for; those without the metric are left out.'),
    }),
    errors: ['not_found'],
  }),
  getJobTelemetry: defineRoute('getJobTelemetry', {
    summary: 'Read what the devices and nodes of a job measured while an attempt ran',
    access: { role: 'viewer' },
    params: z.strictObject({ id: id('job') }),
    query: z.strictObject({ attempt, resolution: telemetryResolution }),
    status: 200,
    answer: 'json',
    response: telemetry.extend({ attempt: z.int().nullable() }).meta({ id: 'JobTelemetry' }),
    errors: [],
  }),
  getNodeTelemetry: defineRoute('getNodeTelemetry', {
    summary: 'Read what a node and its devices measured',
    access: { role: 'viewer' },
    params: z.strictObject({ id: id('node') }),
    query: z.strictObject({
      from: z.iso.datetime({ offset: true }).optional().describe('Default: an hour before `to`.'),
      to: z.iso.datetime({ offset: true }).optional().describe('Default: now.'),
      resolution: telemetryResolution,
    }),
    status: 200,
    answer: 'json',
    response: telemetry.meta({ id: 'NodeTelemetry' }),
    errors: [],
  }),
};
