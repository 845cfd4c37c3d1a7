/** Jobs: submit, watch, read, cancel, and what they used. */
import { z } from 'zod';
import { jobSpecSchema } from '../job-spec.ts';
import { attemptOutcomes, attemptStates } from '../states/attempt.ts';
import { jobStates, pendingReasons, stopReasons } from '../states/job.ts';
import { flag, id, instant, list, name, page, repeated, usd, whole } from './parts.ts';
import { defineRoute } from './route.ts';

const jobParams = z.strictObject({ id: id('job') });

const pending = z.object({
  reason: z.enum(pendingReasons),
  /** One sentence for people. */
  message: z.string().nullable(),
  rejections: z.record(z.string(), z.int()).nullable(),
  expectedAt: instant.nullable().describe('When it is expected to start; null when nobody can say.'),
  deferredUntil: instant.nullable(),
});

/** A job in a list. */
export const jobSummary = z
  .object({
    id: id('job'),
    name: z.string(),
    project: z.object({ id: id('project'), name: z.string() }),
    state: z.enum(jobStates),
    pending: pending.nullable().describe('Why it waits; present exactly while `queued`.'),
    stopReason: z.enum(stopReasons).nullable(),
    contactLostSince: instant.nullable().describe('Set while the newest attempt cannot be reached.'),
    priority: z.int(),
    labels: z.record(z.string(), z.string()),
    arrayId: id('array').nullable(),
    arrayIndex: z.int().nullable(),
    attemptCount: z.int(),
    exitCode: z.int().nullable(),
    reason: z.string().nullable().describe('Why it ended, when it did not succeed.'),
    submittedBy: z.string().describe('Id of the API key.'),
    submittedAt: instant,
    startedAt: instant.nullable(),
    endedAt: instant.nullable(),
    revision: z.string().describe('Grows with every change.'),
  })
  .meta({ id: 'JobSummary' });

const rank = z.object({
  rank: z.int(),
  nodeId: id('node'),
  state: z.enum(['placed', 'starting', 'running', 'ended']),
  reason: z.string().nullable(),
  exitCode: z.int().nullable(),
  signal: z.string().nullable(),
  message: z.string().nullable(),
  startedAt: instant.nullable(),
  endedAt: instant.nullable(),
});

const term = z.object({ name: z.string(), value: z.number(), unit: z.string() });

/** Why it ran there: the candidates with the terms of their scores, and how many nodes fell to which rejection. */
const explanation = z.object({
  policy: z.string(),
  round: z.number(),
  decidedAt: z.string(),
  candidates: z.array(
    z.object({
      nodeId: z.string(),
      nodeName: z.string().nullable().describe('As it is called now; null when it is not known any more.'),
      siteId: z.string(),
      siteName: z.string().nullable(),
      score: z.number(),
      terms: z.array(term),
    }),
  ),
  feasibleCount: z.number(),
  rejections: z.record(z.string(), z.number()),
});

export const attempt = z
  .object({
    id: id('attempt'),
    number: z.int().min(1),
    state: z.enum(attemptStates),
    outcome: z.enum(attemptOutcomes).nullable(),
    backend: z.string(),
    siteId: z.string(),
    stopReason: z.enum(stopReasons).nullable(),
    unknownSince: instant.nullable(),
    exitCode: z.int().nullable(),
    signal: z.string().nullable(),
    message: z.string().nullable(),
    placedAt: instant,
    startingAt: instant.nullable(),
    runningAt: instant.nullable(),
    endedAt: instant.nullable(),
    ranks: z.array(rank),
    explanation: explanation.nullable(),
  })
  .meta({ id: 'Attempt' });

export const event = z
  .object({
    id: z.string(),
    at: instant,
    kind: z.string(),
    subject: z.string(),
    revision: z.string(),
    data: z.record(z.string(), z.unknown()),
  })
  .meta({ id: 'Event' });

export const usage = z
  .object({
    /** Wall time that attempts ran, summed over ranks. */
    runSeconds: z.number().min(0),
    deviceSeconds: z.number().min(0).describe('Whole devices times seconds.'),
    cpuSeconds: z.number().min(0).describe('CPU time used, as measured by the nodes.'),
    energyKwh: z.number().min(0),
    energySource: z.enum(['measured', 'modelled']).nullable().describe('`modelled` when any part of it was.'),
    costUsd: usd,
    open: z.boolean().describe('Whether something still runs; its cost and time so far are included.'),
  })
  .meta({ id: 'Usage' });

const jobDetail = jobSummary
  .extend({
    spec: z
      .record(z.string(), z.unknown())
      .describe('The normalised spec: quantities in bytes and seconds, money in dollars.'),
    checkpoint: z.object({ hash: z.string(), at: instant }).nullable(),
    timeline: z.array(event).describe('Newest 1,000 events of the job and its attempts, oldest first.'),
    attempts: z.array(attempt),
    usage,
  })
  .meta({ id: 'Job' });

const submitted = z.object({
  id: id('job').nullable().describe('The job, or the first task of an array; null in a dry run.'),
  arrayId: id('array').nullable(),
  count: z.int().min(1).describe('Jobs made: 1, or the tasks of the array.'),
  name: z.string(),
  project: z.object({ id: id('project'), name: z.string() }),
  state: z.literal('queued'),
  dryRun: z.boolean(),
  verdict: z
    .object({
      startsNow: z.boolean().describe('Whether it, or every task of an array, would start at this moment.'),
      reason: z.enum(pendingReasons).nullable().describe('Why it would wait; null when it would start now.'),
      message: z.string(),
      rejections: z.record(z.string(), z.int()).describe('How many nodes could not take it, by what they lack.'),
      expectedAt: instant
        .nullable()
        .describe('When it is expected to start; null when it would start now, or nobody can say.'),
      ahead: z.int().min(0).describe('Jobs of the tenant that wait and go before it; counted up to 10,000.'),
    })
    .nullable()
    .describe('Dry run only: what would happen if it were submitted now.'),
});

/** One line of a log. */
export const logLine = z
  .object({
    line: z.int().min(0).describe('Number of the line, from 0.'),
    at: instant.describe('By the node’s clock.'),
    stream: z.enum(['stdout', 'stderr']),
    text: z.string(),
    partial: z.boolean().describe('The line was too long for one record and goes on in the next of its stream.'),
  })
  .meta({ id: 'LogLine' });

/**
 * Lines of the stream with `follow=true`: where lines begin (first of all, and when a later attempt follows), a log line,
 * a heartbeat, or the end.
 */
export const logFrame = z.union([
  z.object({ attempt: z.int(), rank: z.int(), fromLine: z.int() }),
  logLine,
  z.object({ heartbeat: instant }),
  z.object({ end: z.object({ state: z.enum(jobStates), attempt: z.int().nullable(), nextLine: z.int() }) }),
]);

export const jobRoutes = {
  submitJob: defineRoute('submitJob', {
    summary: 'Submit a job, or a whole array of them',
    access: { role: 'member' },
    query: z.strictObject({
      dryRun: flag.optional().describe('Check everything and say what would happen; make nothing.'),
    }),
    body: jobSpecSchema,
    yaml: true,
    bodyCode: 'job_spec_invalid',
    idempotencyKey: true,
    status: 201,
    answer: 'json',
    response: submitted,
    errors: ['invalid_yaml', 'job_feature_unsupported', 'bundle_missing', 'secret_missing', 'idempotency_key_reused'],
  }),
  listJobs: defineRoute('listJobs', {
    summary: 'List jobs, newest first',
    access: { role: 'viewer' },
    query: z.strictObject({
      ...page,
      state: repeated(z.enum(jobStates)).optional().describe('One state, or several by repeating it.'),
      project: name.optional().describe('Name of a project.'),
      namePrefix: z
        .string()
        .regex(/^[a-zA-Z0-9][a-zA-Z0-9._-]{0,62}$/, 'expected the beginning of a name')
        .optional()
        .describe('Beginning of the name, like `train-`.'),
      label: repeated(
        z
          .string()
          .max(320)
          .regex(/^[a-zA-Z0-9][a-zA-Z0-9._/-]{0,62}:\P{Cc}*$/u, 'expected key:value'),
      )
        .optional()
        .describe('`key:value`; several must all hold.'),
      arrayId: id('array').optional(),
      submittedBy: id('key').optional(),
      mine: flag.optional().describe('Only jobs that the asking user submitted, by whichever key or session.'),
      from: z.iso.datetime({ offset: true }).optional().describe('Submitted at or after this instant.'),
      to: z.iso.datetime({ offset: true }).optional().describe('Submitted before this instant.'),
    }),
    status: 200,
    answer: 'json',
    response: list(jobSummary),
    errors: ['cursor_invalid'],
  }),
  getJob: defineRoute('getJob', {
    summary: 'Read a job: state, timeline, attempts with their explanations, usage, cost, energy',
    access: { role: 'viewer' },
    params: jobParams,
    status: 200,
    answer: 'json',
    response: jobDetail,
    errors: [],
  }),
  cancelJob: defineRoute('cancelJob', {
    summary: 'Cancel a job: at once while it is queued, with its grace when it runs',
    access: { role: 'member' },
    params: jobParams,
    status: 200,
    answer: 'json',
    response: jobSummary,
    errors: ['job_final'],
  }),
  suspendJob: defineRoute('suspendJob', {
    summary:
      'Suspend a job: it gives up its place (with its grace when it runs) and is not planned until it is resumed',
    access: { role: 'member' },
    params: jobParams,
    status: 200,
    answer: 'json',
    response: jobSummary,
    errors: ['job_final', 'job_cancelling'],
  }),
  resumeJob: defineRoute('resumeJob', {
    summary: 'Queue a suspended job again; its next attempt begins with its newest checkpoint',
    access: { role: 'member' },
    params: jobParams,
    status: 200,
    answer: 'json',
    response: jobSummary,
    errors: ['job_final', 'job_not_suspended'],
  }),
  getJobLogs: defineRoute('getJobLogs', {
    summary: 'Read log lines, or follow them until the job has ended',
    access: { role: 'viewer' },
    params: jobParams,
    query: z.strictObject({
      attempt: whole(1, 1_000_000)
        .optional()
        .describe('Number of the attempt. Default: the newest. With `follow`, later ones come after it.'),
      rank: whole(0, 4096).default(0).describe('Rank of a gang. Default 0.'),
      fromLine: whole(0, Number.MAX_SAFE_INTEGER)
        .default(0)
        .describe('First line wanted; to resume, the last `line` + 1.'),
      limit: whole(1, 10_000).default(1000).describe('Most lines; not with `follow`.'),
      follow: flag
        .optional()
        .describe('Answer application/x-ndjson and go on until the job is final and all was sent.'),
    }),
    status: 200,
    answer: 'json-or-ndjson',
    response: z.object({
      attempt: z.int().nullable().describe('Number of the attempt; null before the first.'),
      rank: z.int(),
      lines: z.array(logLine),
      nextLine: z.int().describe('Where to go on.'),
      end: z.int().min(0).describe('Number of the line after the last that came in.'),
      complete: z.boolean().describe('The attempt has ended and no line comes after `nextLine`.'),
      removedAt: instant.nullable().describe('When the lines were deleted for their age (`retention.logDays`).'),
    }),
    errors: [],
  }),
  listJobEvents: defineRoute('listJobEvents', {
    summary: 'List the events of a job and its attempts, oldest first',
    access: { role: 'viewer' },
    params: jobParams,
    query: z.strictObject(page),
    status: 200,
    answer: 'json',
    response: list(event),
    errors: ['cursor_invalid'],
  }),
  getUsage: defineRoute('getUsage', {
    summary: 'Sum the usage of a project, or of every project of the tenant',
    access: { role: 'viewer' },
    query: z.strictObject({
      project: name.optional().describe('Name of a project. Default: all.'),
      from: z.iso.datetime({ offset: true }).optional().describe('Only intervals that began at or after this instant.'),
      to: z.iso.datetime({ offset: true }).optional().describe('Only intervals that began before this instant.'),
    }),
    status: 200,
    answer: 'json',
    response: z.object({
      items: z.array(
        z.object({ project: z.object({ id: id('project'), name: z.string() }), usage, jobs: z.int().min(0) }),
      ),
    }),
    errors: [],
  }),
};
