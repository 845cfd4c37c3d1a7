/**
 * The wire between a node's agent and the gateway (contracts §8): JSON text frames over one WebSocket that the agent
 * opens to `/v1/agent/connect`, versioned.
 *
 * Upward streams (`reports`, one log stream per attempt and rank) are numbered from the agent's disk and acknowledged
 * cumulatively, so that a reconnect repeats only what was not yet durable. Downward commands carry the fencing token
 * and are idempotent. Log bytes flow only against credit, so that a slow database slows the job's pipe, not the server's memory.
 */
import { z } from 'zod';
import { channelWanted } from './channels.ts';
import { metricsAck, metricsFrame } from './metrics.ts';
import { attemptId, finite, rank, short, token } from './parts.ts';
import { progressFrame } from './progress.ts';
import { secretTarget } from './secrets.ts';

/** Newest version; the server also speaks the one before. 2: metrics, secrets, channels. */
export const protocolVersion = 2;
/** Largest frame either side takes, bytes. */
export const maxFrameBytes = 1_048_576;
/** Heartbeat period, seconds; a node is lost after three missed. */
export const heartbeatSeconds = 5;
export const missedHeartbeats = 3;

const device = z.object({
  uuid: short,
  kind: z.enum(['gpu', 'tpu', 'fpga']),
  vendor: short,
  model: short,
  index: z.int().min(0).max(4096),
  memoryBytes: finite,
  driver: short.nullable(),
  health: z.enum(['ok', 'degraded']),
  healthReasons: z.array(short).max(32),
  /** uuid of the device that this one is a slice of. */
  parentUuid: short.nullable(),
  facts: z.record(z.string(), z.unknown()),
});
export type WireDevice = z.infer<typeof device>;

const inventory = z.object({
  name: short,
  cpuMilli: finite,
  memoryBytes: finite,
  diskBytes: finite,
  isolation: z.array(z.enum(['process', 'sandbox', 'container', 'vm', 'node'])),
  /** Why a level is not offered, by level. */
  isolationMissing: z.record(z.string(), short),
  hostNetwork: z.boolean(),
  labels: z.record(z.string(), short),
  facts: z.record(z.string(), z.unknown()),
  devices: z.array(device).max(1024),
});
export type WireInventory = z.infer<typeof inventory>;

const end = z.object({
  reason: z.enum([
    'exited',
    'signalled',
    'out-of-memory',
    'timed-out',
    'stopped',
    'disconnected',
    'disk-exceeded',
    'start-failed',
    'supervisor-lost',
    'never-started',
  ]),
  exitCode: z.int().nullable(),
  signal: z.string().max(16).nullable(),
  message: z.string().max(4096).nullable(),
  /** With `start-failed`: neither this node nor another will ever start it so. Agents of 0.1 do not say it. */
  permanent: z.boolean().optional(),
});

/** State of one rank. Durations count by the node's boot clock, so that a wall clock set back shortens no bill. */
export const rankReport = z.object({
  attemptId,
  rank,
  token,
  state: z.enum(['starting', 'running', 'ended']),
  /** Node's wall clock, for people; the server bounds it by its own. */
  at: z.iso.datetime(),
  /** Seconds that the job ran by the boot clock; with `ended`. */
  ranSeconds: finite.optional(),
  end: end.optional(),
  usage: z
    .object({
      cpuSeconds: finite,
      peakMemoryBytes: finite,
      energyJoules: finite,
      energySource: z.enum(['measured', 'modelled']),
    })
    .optional(),
});
export type RankReport = z.infer<typeof rankReport>;

const sample = z.object({ subject: short, data: z.record(z.string(), z.number()) });

/** Agent → gateway. */
export const agentMessage = z.discriminatedUnion('type', [
  z.object({
    type: z.literal('hello'),
    protocol: z.int(),
    agentVersion: short,
    bootId: short,
    inventory,
    /** Ranks that this node still has on disk: running, or ended and not yet forgotten. */
    attempts: z.array(z.object({ attemptId, rank, token, state: z.enum(['starting', 'running', 'ended']) })).max(4096),
  }),
  z.object({ type: z.literal('inventory'), inventory }),
  z.object({ type: z.literal('heartbeat'), seq: z.int().min(0), samples: z.array(sample).max(2048).optional() }),
  /** `journal` names the agent's report journal on disk; a wiped node starts a new one. `seq` of the first item. */
  z.object({
    type: z.literal('reports'),
    journal: short,
    seq: z.int().min(0),
    items: z.array(rankReport).min(1).max(256),
  }),
  z.object({
    type: z.literal('logs'),
    attemptId,
    rank,
    token,
    /** Number of the first line, from 0. */
    firstLine: z.int().min(0),
    lineCount: z.int().min(0).max(100_000),
    /** JSON lines {n,t,s,d}. */
    lines: z.string(),
    /** The job has ended and this was its last line. */
    complete: z.boolean(),
  }),
  metricsFrame,
  progressFrame,
  z.object({
    type: z.literal('commandAck'),
    id: z.string().regex(/^\d+$/),
    result: z.enum(['done', 'refused']),
    detail: short.optional(),
  }),
]);
export type AgentMessage = z.infer<typeof agentMessage>;

/** What a rank needs to start; carried by the `start` command. */
export const startPayload = z.object({
  jobId: z.string(),
  jobName: z.string(),
  tenant: z.string(),
  number: z.int(),
  worldSize: z.int(),
  arrayIndex: z.int().nullable(),
  /** Names of the nodes by rank. */
  nodeNames: z.array(z.string()),
  /** Words to run; a shell text was turned into `/bin/sh -c`. Empty: what the image says. */
  command: z.array(z.string()),
  /** Null: no container. Only nodes that offer containers get one, and those know these fields. */
  image: z.string().nullable().default(null),
  /** Arguments for the image's own entrypoint instead of the image's; null: the image's. */
  args: z.array(z.string()).nullable().default(null),
  /** Whether there are credentials for the image's registry to ask for. */
  hasImageCredentials: z.boolean().default(false),
  env: z.record(z.string(), z.string()),
  bundle: z.string().nullable(),
  isolation: z.enum(['process', 'sandbox', 'container', 'vm', 'node']),
  network: z.enum(['none', 'host']),
  cpuMilli: finite,
  memoryBytes: finite,
  diskBytes: finite,
  sharedMemoryBytes: finite,
  /** uuids of the node's devices with their share in thousandths. */
  devices: z.array(z.object({ uuid: z.string(), milli: z.int() })),
  timeoutSeconds: z.number().nullable(),
  graceSeconds: z.number(),
  stopAfterSeconds: z.number().nullable(),
  checkpointPath: z.string().nullable(),
  /** Manifest blob of the checkpoint to start from. */
  checkpointHash: z.string().nullable(),
  artifacts: z.array(z.string()),
  /** Which secrets the job gets; their values are asked for at the start. Nodes of protocol 1 cannot. */
  secrets: z.array(secretTarget).default([]),
});
export type StartPayload = z.infer<typeof startPayload>;

/** Gateway → agent. */
export const gatewayMessage = z.discriminatedUnion('type', [
  z.object({
    type: z.literal('welcome'),
    protocol: z.int(),
    nodeId: z.string(),
    sessionId: z.string(),
    heartbeatSeconds: z.number(),
    /** Bytes of log lines that may be on the way unacknowledged. */
    logCreditBytes: z.int(),
  }),
  z.object({ type: z.literal('heartbeatAck'), seq: z.int() }),
  /** Everything below `next` of the journal is durable. */
  z.object({ type: z.literal('reportsAck'), journal: z.string(), next: z.int() }),
  /** Every line below `nextLine` is durable; `nextLine` may jump back, then the agent sends again from there. */
  z.object({
    type: z.literal('logsAck'),
    attemptId,
    rank,
    nextLine: z.int(),
    /** This log is not taken, now or later: the attempt was never placed on this node, or under another token. */
    refused: z.boolean().optional(),
  }),
  metricsAck,
  channelWanted,
  z.object({
    type: z.literal('command'),
    id: z.string(),
    kind: z.enum(['start', 'stop', 'forget']),
    attemptId,
    rank,
    token,
    /** start: StartPayload · stop: {why, graceSeconds} · forget: {} */
    payload: z.record(z.string(), z.unknown()),
  }),
  z.object({ type: z.literal('error'), code: z.string(), detail: z.string() }),
]);
export type GatewayMessage = z.infer<typeof gatewayMessage>;

export const stopPayload = z.object({ why: z.string(), graceSeconds: z.number() });

/** WebSocket close codes of our own (4000–4999) and whether the agent should come back. */
export const closeCodes = {
  revoked: { code: 4401, retry: false },
  protocol: { code: 4400, retry: false },
  replaced: { code: 4409, retry: true },
  tooLarge: { code: 4413, retry: true },
  shuttingDown: { code: 4503, retry: true },
} as const;

/** POST /v1/agent/join with a join token → the node's identity and its own token. */
export const joinRequest = z.strictObject({ name: short, installationId: short });
export const joinResponse = z.object({ nodeId: z.string(), siteId: z.string(), token: z.string() });

/** POST /v1/agent/attempts/:attemptId/checkpoint and …/artifacts: the manifest was uploaded and counts from now on. */
export const manifestCommit = z.strictObject({ token, rank, manifestHash: z.string().regex(/^[0-9a-f]{64}$/) });

/** A checkpoint or the artefacts of a rank: files with their blobs, stored as a blob itself. */
export const manifest = z.strictObject({
  version: z.literal(1),
  files: z.array(
    z.strictObject({
      path: z.string().min(1).max(1024),
      sizeBytes: finite,
      mode: z.int().min(0).max(0o777),
      /** Chunks of at most 16 MiB in order. */
      chunks: z.array(z.string().regex(/^[0-9a-f]{64}$/)),
    }),
  ),
});
export type Manifest = z.infer<typeof manifest>;
export const chunkBytes = 16 * 1024 * 1024;
