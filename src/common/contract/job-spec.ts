/**
 * The job spec: what a user writes (YAML or JSON, one schema) and the normalised form that is stored and scheduled.
 *
 * People write quantities with units ("4GiB", "2h", cpu 0.5); everything behind the API reads whole numbers whose unit
 * is in the name. One parse turns the first into the second, so no later part parses text again. The descriptions below
 * become docs/user/job-spec.md. What this release does not honour is listed in `unsupported-features.ts` and refused.
 */
import { z } from 'zod';
import { parseUsd } from '../money.ts';
import { parseBytes, parseDuration } from '../units.ts';
import { parseImage } from './image.ts';
import { faultOfSpread, placementSchema } from './placement.ts';

const name = z
  .string()
  .regex(
    /^[a-zA-Z0-9]([a-zA-Z0-9._-]{0,61}[a-zA-Z0-9])?$/,
    'use 1–63 letters, digits, ".", "_" or "-", starting and ending with a letter or digit',
  );

/** Plain text without control characters, which PostgreSQL or a terminal would choke on. */
const text = (max: number) =>
  z
    .string()
    .max(max)
    .refine((value) => value.isWellFormed() && !/(?![\t\n])\p{Cc}/u.test(value), 'must not contain control characters');

/** Shell text and environment values may hold anything but NUL and broken surrogate pairs. */
const program = (max: number) =>
  z
    .string()
    .max(max)
    .refine((value) => value.isWellFormed() && !value.includes('\0'), 'must not contain NUL or half characters');

const bytes = (description: string, minimum = 0) =>
  z
    .union([z.string(), z.number()])
    .transform((value, context) => {
      const parsed = parseBytes(value);
      if (parsed === undefined)
        context.addIssue({ code: 'custom', message: 'expected bytes, as a number or like "512MiB", "1.5GiB", "2GB"' });
      else if (parsed < minimum) context.addIssue({ code: 'custom', message: `must be at least ${minimum} bytes` });
      return parsed ?? 0;
    })
    .describe(description);

const seconds = (description: string, minimum = 0) =>
  z
    .union([z.string(), z.number()])
    .transform((value, context) => {
      const parsed = parseDuration(value);
      if (parsed === undefined)
        context.addIssue({ code: 'custom', message: 'expected a duration, as seconds or like "90s", "15m", "2h"' });
      else if (parsed < minimum || parsed > 31_536_000)
        context.addIssue({ code: 'custom', message: `must lie between ${minimum} s and 365 d` });
      return parsed ?? 0;
    })
    .describe(description);

const dollars = (description: string) =>
  z
    .union([z.string(), z.number()])
    .transform((value, context) => {
      const parsed = parseUsd(String(value));
      if (parsed === undefined || parsed < 0n) {
        context.addIssue({ code: 'custom', message: 'expected dollars ≥ 0 with at most six places, like "2.49"' });
      }
      return String(parsed ?? 0n);
    })
    .describe(description);

const instant = (description: string) =>
  z.iso
    .datetime({ offset: true, message: 'expected an instant in ISO 8601, like "2026-11-22T02:00:00Z"' })
    .describe(description);

const awaited = z
  .string()
  .regex(/^(job|arr)_[0-9a-hjkmnp-tv-z]{26}$/, 'expected the id of a job (job_…) or of an array (arr_…)');

export const deviceKinds = ['gpu', 'tpu', 'fpga'] as const;
export type DeviceKind = (typeof deviceKinds)[number];

const deviceRequest = z
  .strictObject({
    kind: z.enum(deviceKinds).default('gpu').describe('Kind of accelerator: `gpu`, `tpu` or `fpga`.'),
    model: z
      .union([name, z.array(name).min(1).max(16)])
      .transform((value) => (Array.isArray(value) ? value : [value]))
      .optional()
      .describe('Model, or a list of models of which any will do, like `H100`. Default: any.'),
    minMemory: bytes('Least device memory, like `40GiB`. Default: any.').optional(),
    count: z.int().min(1).max(1024).default(1).describe('How many on each node. 1–1024, default 1.'),
    fraction: z
      .number()
      .min(0.001)
      .max(1)
      .optional()
      .describe(
        'Share of one device, 0.001–1, in steps of a thousandth; only with count 1. Default: the whole device.',
      ),
    minDriver: z
      .string()
      .regex(/^\d{1,5}(\.\d{1,5}){0,3}$/, 'expected a version like "535.104"')
      .optional()
      .describe('Least driver version, compared number by number. Default: any.'),
  })
  .refine((value) => value.fraction === undefined || value.count === 1, {
    path: ['fraction'],
    message: 'a fraction needs count 1',
  })
  .transform((value) => ({
    kind: value.kind,
    models: value.model ?? [],
    minMemoryBytes: value.minMemory ?? 0,
    count: value.count,
    milli: value.fraction === undefined ? 1000 : Math.max(1, Math.round(value.fraction * 1000)),
    minDriver: value.minDriver ?? null,
  }));

const deviceList = z.array(deviceRequest).max(8);

const resources = z
  .strictObject({
    cpu: z.number().min(0.001).max(4096).default(1).describe('CPU cores on each node, like `0.5` or `8`. Default 1.'),
    memory: bytes('Memory on each node, like `4GiB`. At least 16 MiB, default 512 MiB.', 16 * 2 ** 20).default(
      512 * 2 ** 20,
    ),
    disk: bytes('Scratch disk on each node. Default 1 GiB.').default(2 ** 30),
    sharedMemory: bytes('Size of /dev/shm; counts as memory. Default 64 MiB.').default(64 * 2 ** 20),
    devices: z
      .union([deviceList, z.strictObject({ anyOf: z.array(deviceList.min(1)).min(1).max(8) })])
      .default([])
      .transform((value) => (Array.isArray(value) ? [value] : value.anyOf))
      .describe(
        'Accelerators on each node: a list of requests that must all be met, or `anyOf` with several such lists, the first that fits is taken. Default none.',
      ),
    nodes: z.int().min(1).max(4096).default(1).describe('Nodes of a gang: all start or none. Default 1.'),
  })
  .transform((value) => ({
    cpuMilli: Math.round(value.cpu * 1000),
    memoryBytes: value.memory,
    diskBytes: value.disk,
    sharedMemoryBytes: value.sharedMemory,
    /** Alternatives, best first; each is a list of requests that must all be met on every node. Never empty. */
    deviceAlternatives: value.devices,
    nodes: value.nodes,
  }));

/** Reasons after which an attempt may be followed by another; see `attemptOutcomes`. */
export const retryReasons = ['failed', 'out-of-memory', 'timed-out', 'start-failed', 'node-lost'] as const;
export type RetryReason = (typeof retryReasons)[number];

const retryCount = (description: string) => z.int().min(0).max(100).describe(description);

/**
 * Most bytes of a normalised spec, which has to fit into one frame to its node; and of all tasks of an array together,
 * since each has a row of its own.
 */
const mostBytes = { spec: 524_288, array: 268_435_456 };

const secretRequest = z
  .strictObject({
    name: name.describe('Name of the secret.'),
    env: z
      .string()
      .regex(
        /^(?!SOLYX_)[A-Za-z_][A-Za-z0-9_]{0,127}$/,
        'expected a name of an environment variable, not of Solyx’ own',
      )
      .optional(),
    file: z
      .string()
      .regex(/^[A-Za-z0-9_][A-Za-z0-9._-]{0,127}$/, 'expected a plain file name, without a path')
      .optional(),
  })
  .refine((value) => value.env !== undefined || value.file !== undefined, 'say where it goes: `env`, `file` or both');

export const jobSpecSchema = z
  .strictObject({
    name: name.describe('Name of the job: 1–63 letters, digits, ".", "_" or "-". Need not be unique.'),
    image: text(512)
      .optional()
      .describe(
        'Container image; the job then runs with isolation `container`. `ghcr.io/team/app:tag` or `…@sha256:…` from a registry, `oci-archive:app.tar` for a file beside the spec, which the CLI uploads (on the wire `oci-archive:sha256:<hash>`), `rootfs:/PATH` or `node-archive:/PATH` on the node where its operator allows it. Either `image`, `command` or both; without `command` the image’s own is run.',
      ),
    imageCredentials: z
      .strictObject({ secret: name.describe('Name of a secret that holds `username:password`.') })
      .optional()
      .describe('What a private registry is shown for the image.'),
    command: z
      .union([program(65_536), z.array(program(65_536)).min(1).max(1024)])
      .refine(
        (value) => (typeof value === 'string' ? value.trim() : value[0]) !== '',
        'must not be empty; leave it out to run what the image says',
      )
      .optional()
      .describe('What to run: a text for `/bin/sh -c`, or a list of words run as they are.'),
    args: z
      .array(program(65_536))
      .max(1024)
      .default([])
      .describe(
        'Words appended to `command` when it is a list; without `command` they replace the arguments of the image.',
      ),
    env: z
      .record(
        z.string().regex(/^[A-Za-z_][A-Za-z0-9_]{0,127}$/, 'expected a name of an environment variable'),
        program(32_768),
      )
      .default({})
      .refine(
        (value) => !Object.keys(value).some((key) => key.startsWith('SOLYX_')),
        'names that start with SOLYX_ are set by Solyx',
      )
      .describe('Environment variables. Names must not start with `SOLYX_`.'),
    secrets: z
      .array(secretRequest)
      .max(64)
      .default([])
      .describe(
        'Secrets of the project or tenant, by name: each as the environment variable `env`, as the file `file` in `$SOLYX_SECRETS_DIR` (in memory, mode 0400), or both. Given at start only.',
      ),
    workingDirectory: z
      .union([
        text(4096),
        z.strictObject({ bundle: z.string().regex(/^[0-9a-f]{64}$/, 'expected the SHA-256 of an uploaded bundle') }),
      ])
      .optional()
      .describe(
        'Folder that the job runs in, relative to the spec; the CLI uploads it. On the wire `{bundle: <sha256>}`.',
      ),
    resources: resources.prefault({}).describe('What each node of the job needs.'),
    array: z
      .strictObject({ count: z.int().min(1).max(10_000).describe('How many tasks, 1–10,000.') })
      .optional()
      .describe('Runs the job `count` times, each with its own `SOLYX_ARRAY_INDEX` from 0.'),
    pricing: z
      .strictObject({
        option: z
          .enum(['on-demand', 'spot', 'reserved', 'any'])
          .default('any')
          .describe('Which kind of capacity may be bought. Default `any`.'),
        maxPricePerHour: dollars('Most dollars an hour that the whole job may cost. Default no limit.').optional(),
        budget: dollars('Most dollars that the job may cost in all. Default no limit.').optional(),
      })
      .prefault({}),
    timeouts: z
      .strictObject({
        run: seconds('Longest run of one attempt. Default no limit.', 1).optional(),
        queue: seconds('Longest wait before the first start; then the job fails. Default no limit.', 1).optional(),
        stopGrace: seconds('Time between SIGTERM and SIGKILL. Default 10 s.').default(10),
      })
      .prefault({}),
    retries: z
      .strictObject({
        failed: retryCount('After an exit code other than 0 or a signal. Default 0.').default(0),
        'out-of-memory': retryCount('After the memory limit was passed. Default 0.').default(0),
        'timed-out': retryCount('After `timeouts.run`. Default 0.').default(0),
        'start-failed': retryCount(
          'When the node could not start it and another try may end otherwise. Default 3.',
        ).default(3),
        'node-lost': retryCount('When the node or its supervisor was lost. Default 5.').default(5),
      })
      .prefault({})
      .describe('How many further attempts are made, by reason.'),
    priority: z.int().min(-1000).max(1000).default(0).describe('Higher runs first, −1000–1000. Default 0.'),
    project: name.optional().describe('Project that the job belongs to. Default: the project of the key.'),
    labels: z
      .record(
        z
          .string()
          .regex(
            /^[a-zA-Z0-9][a-zA-Z0-9._/-]{0,62}$/,
            'expected a label name of 1–63 letters, digits, ".", "_", "/" or "-"',
          ),
        text(256),
      )
      .default({})
      .refine((value) => Object.keys(value).length <= 32, 'at most 32 labels')
      .describe('Labels to filter by; at most 32.'),
    objective: z
      .union([
        z.enum(['balanced', 'cheapest', 'greenest', 'fastest']),
        z.strictObject({
          cost: z.number().min(0).max(1),
          carbon: z.number().min(0).max(1),
          time: z.number().min(0).max(1),
        }),
      ])
      .default('balanced')
      .describe(
        'What placement prefers: `balanced`, `cheapest`, `greenest`, `fastest`, or weights 0–1 of cost, carbon and time.',
      ),
    placement: placementSchema
      .optional()
      .describe(
        'Where it may stand: labels of nodes, and how close to its other ranks, its other tasks and other jobs.',
      ),
    after: z
      .array(
        z
          .union([
            awaited,
            z.strictObject({ job: awaited, when: z.enum(['succeeded', 'ended', 'started']).default('succeeded') }),
          ])
          .transform((value) => (typeof value === 'string' ? { job: value, when: 'succeeded' as const } : value)),
      )
      .max(64)
      .refine((value) => new Set(value.map(({ job }) => job)).size === value.length, 'names a job twice')
      .default([])
      .describe(
        'Jobs that come first: ids of jobs, or of arrays (all of their tasks), each alone or as `{job, when}` with `when` one of `succeeded` (default), `ended`, `started`. If one cannot come so far any more, this job fails. At most 64.',
      ),
    earliestStart: instant('Do not start before this instant.').optional(),
    deadline: instant(
      'The job should have ended by this instant: it takes the turn of jobs that came up to a day earlier. One that is missed, or past already, is said and changes nothing else.',
    ).optional(),
    isolation: z
      .enum(['process', 'sandbox', 'container', 'vm', 'node'])
      .default('sandbox')
      .describe('Least isolation that the job needs. Default `sandbox`; with an `image` at least `container`.'),
    network: z
      .enum(['none', 'host'])
      .default('none')
      .describe('`none` (loopback only) or `host`, where the operator allows it. Default `none`.'),
    onDisconnect: z
      .union([
        z.literal('keep'),
        z.strictObject({ stopAfter: seconds('Seconds without contact after which the node ends the job.', 5) }),
      ])
      .default({ stopAfter: 600 })
      .describe(
        'What happens when the node loses contact: `{stopAfter: 600}` ends the job there and lets a successor start elsewhere; `keep` waits, however long.',
      ),
    checkpointPath: text(4096)
      .refine(
        (value) => value.startsWith('/') && !value.split('/').includes('..'),
        'expected an absolute path without ".."',
      )
      .optional()
      .describe(
        'Folder inside the job below which each attempt writes its checkpoints (`$SOLYX_CHECKPOINT_DIR`) and reads those of the one before (`$SOLYX_PREVIOUS_CHECKPOINT_DIR`). Of a gang, rank 0 writes it and all ranks are given it. Default: no checkpoints.',
      ),
    datasets: z
      .array(z.strictObject({ name, path: text(4096).optional() }))
      .max(64)
      .default([])
      .describe('Datasets that the job reads.'),
    artifacts: z
      .array(
        text(1024).refine(
          (value) => !value.startsWith('/') && !value.split('/').includes('..'),
          'expected a path inside the working directory',
        ),
      )
      .max(64)
      .default([])
      .describe('Files or folders of the working directory that are kept after the job.'),
  })
  .superRefine((value, context) => {
    if (value.image === undefined && value.command === undefined) {
      context.addIssue({ code: 'custom', path: ['command'], message: 'either `command` or `image` is needed' });
    }
    const image = value.image === undefined ? undefined : parseImage(value.image);
    if (image?.kind === 'bad') context.addIssue({ code: 'custom', path: ['image'], message: image.why });
    if (value.imageCredentials !== undefined && image?.kind !== 'registry') {
      context.addIssue({ code: 'custom', path: ['imageCredentials'], message: 'needs an `image` from a registry' });
    }
    if (value.isolation === 'container' && value.image === undefined) {
      context.addIssue({ code: 'custom', path: ['image'], message: 'isolation `container` needs an image' });
    }
    if (value.args.length > 0 && typeof value.command === 'string') {
      context.addIssue({
        code: 'custom',
        path: ['args'],
        message: 'needs `command` as a list; a text is a whole shell command',
      });
    }
    if (value.resources.sharedMemoryBytes > value.resources.memoryBytes) {
      context.addIssue({
        code: 'custom',
        path: ['resources', 'sharedMemory'],
        message: 'counts as memory and must not exceed `memory`',
      });
    }
    if (value.placement?.together !== undefined && value.resources.nodes === 1) {
      context.addIssue({ code: 'custom', path: ['placement', 'together'], message: 'needs `resources.nodes` above 1' });
    }
    const spreadFault = faultOfSpread(value.placement?.spread, value.resources.nodes, value.array !== undefined);
    if (spreadFault !== undefined) {
      context.addIssue({ code: 'custom', path: ['placement', 'spread'], message: spreadFault });
    }
    const size = new TextEncoder().encode(JSON.stringify(value)).length;
    if (size > mostBytes.spec) {
      const message = `has ${size} bytes of at most ${mostBytes.spec}; large texts belong into files of workingDirectory`;
      context.addIssue({ code: 'custom', path: [], message });
    } else if (size * (value.array?.count ?? 1) > mostBytes.array) {
      const message = `at most ${Math.floor(mostBytes.array / size)} tasks of a spec of ${size} bytes`;
      context.addIssue({ code: 'custom', path: ['array', 'count'], message });
    }
    const stopAfter = value.onDisconnect === 'keep' ? Number.POSITIVE_INFINITY : value.onDisconnect.stopAfter;
    if (value.timeouts.stopGrace >= stopAfter) {
      context.addIssue({
        code: 'custom',
        path: ['timeouts', 'stopGrace'],
        message: 'must be shorter than `onDisconnect.stopAfter`, inside which it lies',
      });
    }
    if (value.earliestStart && value.deadline && Date.parse(value.deadline) <= Date.parse(value.earliestStart)) {
      context.addIssue({ code: 'custom', path: ['deadline'], message: 'must lie after `earliestStart`' });
    }
    if (
      typeof value.objective === 'object' &&
      value.objective.cost + value.objective.carbon + value.objective.time <= 0
    ) {
      context.addIssue({ code: 'custom', path: ['objective'], message: 'at least one weight must be above 0' });
    }
  });

/** What a user may write. */
export type JobSpecInput = z.input<typeof jobSpecSchema>;
/** The normalised spec: quantities are numbers in the unit of their name, money is micro-dollars as a text of digits. */
export type JobSpec = z.output<typeof jobSpecSchema>;
export type ResourceRequest = JobSpec['resources'];
export type DeviceRequest = ResourceRequest['deviceAlternatives'][number][number];
