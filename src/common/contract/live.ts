/**
 * The live protocol (contracts §9): one WebSocket, `GET /v1/live`, many subscriptions.
 *
 * A subscription begins with a `snapshot`, or continues where a cursor stands (`since`), and goes on with `delta`s. Everything
 * in a delta is the whole new value of an entity, so deltas may be merged, repeated and applied twice without harm; whoever keeps
 * a copy takes a value unless the copy's `revision` is greater. Cursors are opaque. A `reset` says that what was sent is not
 * complete any more; a snapshot follows by itself.
 *
 * Types and small constants only: browsers import the types and load nothing of zod.
 */
import type { z } from 'zod';
import type { Problem } from '../errors/solyx-error.ts';
import type { MetricsDelta, MetricsParams } from './live-metrics.ts';
import type { Routes } from './routes/index.ts';
import type { attempt, event, jobSummary, logLine } from './routes/jobs.ts';
import type { JobMetrics } from './routes/metrics.ts';
import type { overview } from './routes/overview.ts';
import type { JobState } from './states/job.ts';

/** Subprotocol that the server answers with. Clients offer it, and their ticket beside it: never in the URL. */
export const liveProtocol = 'solyx.live.v1';
/** A ticket is offered as a subprotocol of its own, with this before it. */
export const ticketProtocolPrefix = 'solyx.ticket.';
export const livePath = '/v1/live';
/** What a ticket opens. */
export const ticketPurposes = ['live', 'exec', 'forward'] as const;
export type TicketPurpose = (typeof ticketPurposes)[number];

/** Why the server closes a socket. 1012 (restarting) and 1013 (too busy) are used as they are defined. */
export const liveCloseCodes = {
  /** A message that is none of this protocol, or far too many of them. */
  protocol: 4400,
  /** The key or session was revoked, or its rights changed: ask for a ticket again. */
  access: 4401,
  /** The client takes nothing any more. */
  slow: 4408,
} as const;

export type JobSummary = z.output<typeof jobSummary>;
export type JobDetail = z.output<Routes['getJob']['response']>;
export type Attempt = z.output<typeof attempt>;
export type JobEvent = z.output<typeof event>;
export type LogLine = z.output<typeof logLine>;
/** Without `facts`, which differ by who asks; `GET /v1/nodes/:id` has them. */
export type LiveNode = Omit<z.output<Routes['listNodes']['response']>['items'][number], 'facts'>;
export type LiveDevice = Omit<z.output<Routes['listDevices']['response']>['items'][number], 'facts'>;
export type Site = z.output<Routes['listSites']['response']>['items'][number];

/** Topics. `LiveTopics` says what each takes and sends. */
export type LiveTopic =
  | 'jobs'
  | `job/${string}`
  | `job/${string}/logs`
  | `job/${string}/metrics`
  | 'fleet'
  | 'overview';

/** Row of `LiveTopics` that a topic belongs to. */
export type TopicName<T extends LiveTopic> = T extends `job/${string}/logs`
  ? 'job/logs'
  : T extends `job/${string}/metrics`
    ? 'job/metrics'
    : T extends `job/${string}`
      ? 'job'
      : T;

export type LiveParams<T extends LiveTopic> = LiveTopics[TopicName<T>]['params'];
export type LiveSnapshot<T extends LiveTopic> = LiveTopics[TopicName<T>]['snapshot'];
export type LiveDelta<T extends LiveTopic> = LiveTopics[TopicName<T>]['delta'];

/** What each topic takes and sends. Lists in deltas are whole entities to be put in place of older ones, by id. */
export interface LiveTopics {
  jobs: {
    params: JobsParams;
    /** The newest page of the filter, or the jobs of `ids`, newest first. */
    snapshot: { readonly items: readonly JobSummary[]; readonly nextCursor: string | null };
    delta: {
      /** Jobs of the window as they are now, also when the filter no longer holds for them. */
      readonly put?: readonly JobSummary[];
      /** `fresh`: how many jobs belong into this window that are not in it: "4 new". They come with the next snapshot. */
      readonly fields?: { readonly fresh?: number };
    };
  };
  job: {
    params: Record<string, never>;
    snapshot: JobDetail;
    delta: {
      /** Fields of the job that changed. */
      readonly fields?: Partial<Omit<JobDetail, 'attempts' | 'timeline'>>;
      /** By id. */
      readonly attempts?: readonly Attempt[];
      /** By id, to be appended. */
      readonly timeline?: readonly JobEvent[];
    };
  };
  'job/logs': {
    params: LogsParams;
    snapshot: LogsPart;
    delta: LogsPart;
  };
  'job/metrics': {
    params: MetricsParams;
    snapshot: JobMetrics;
    delta: MetricsDelta;
  };
  fleet: {
    params: FleetParams;
    snapshot: FleetSnapshot;
    delta: {
      readonly sites?: readonly Site[];
      /** By id; removed ones with `presence` `removed`. */
      readonly nodes?: readonly LiveNode[];
      /** By node: all devices that it has now. */
      readonly devices?: readonly { readonly nodeId: string; readonly devices: readonly LiveDevice[] }[];
      /** Latest samples of nodes and devices, by id. */
      readonly samples?: readonly { readonly id: string; readonly at: string; readonly data: Record<string, number> }[];
    };
  };
  overview: {
    params: Record<string, never>;
    snapshot: OverviewFields;
    delta: { readonly fields?: Partial<OverviewFields> };
  };
}

/** Filters as `GET /v1/jobs` has them. */
export interface JobsParams {
  readonly state?: readonly JobState[];
  /** Name of a project. */
  readonly project?: string;
  readonly namePrefix?: string;
  /** `key:value`; all must hold. */
  readonly label?: readonly string[];
  readonly arrayId?: string;
  readonly submittedBy?: string;
  /** Most rows of the newest page, 1–500; default 50. */
  readonly limit?: number;
  /** The rows that are on the screen, at most 500: these instead of the newest page. */
  readonly ids?: readonly string[];
}

export interface LogsParams {
  /** Number of the attempt. Default: the newest, and those that follow it. */
  readonly attempt?: number;
  /** Default 0. */
  readonly rank?: number;
  /** First line wanted. Default: the last `tail` lines. */
  readonly fromLine?: number;
  /** How many of the last lines, 0–5,000; default 200. */
  readonly tail?: number;
}

/** Lines in order, of one attempt. A following attempt begins with a part of its own. */
export interface LogsPart {
  /** null before the first attempt. */
  readonly attempt: number | null;
  readonly rank: number;
  readonly lines: readonly LogLine[];
  /** Lines before the first of `lines` that were left out because the client was too slow for them; read them by HTTP. */
  readonly skipped: number;
  /** Where the log goes on. */
  readonly nextLine: number;
  /** The attempt's log is whole, and ends here. */
  readonly complete: boolean;
  /** `complete`, and the job is final: nothing follows. */
  readonly ended: boolean;
  /** When the log was deleted for its age; null while it is there. */
  readonly removedAt: string | null;
}

export interface FleetParams {
  readonly siteId?: string;
  readonly nodeId?: string;
  /** Most nodes, 1–1,000; default 500. Devices come with their nodes. */
  readonly limit?: number;
}

export interface FleetSnapshot {
  readonly sites: readonly Site[];
  readonly nodes: readonly LiveNode[];
  readonly devices: readonly LiveDevice[];
  /** There are more nodes than `limit`; deltas speak only of those that were sent. */
  readonly truncated: boolean;
}

/** What `GET /v1/overview` answers, and the newest jobs of the tenant. */
export type OverviewFields = z.output<typeof overview> & { readonly lastJobs: readonly JobSummary[] };

/** What clients say. `id` is the client's own name of a subscription; subscribing again under it replaces the older one. */
export type ClientMessage =
  | {
      readonly op: 'subscribe';
      readonly id: string;
      readonly topic: LiveTopic;
      readonly params?: Record<string, unknown>;
      /** Cursor of the last snapshot or delta; what came since is sent instead of a snapshot, if it still can be. */
      readonly since?: string;
    }
  | { readonly op: 'unsubscribe'; readonly id: string }
  /** `jobs` only: the rows that are on the screen now. */
  | { readonly op: 'watch'; readonly id: string; readonly ids: readonly string[] };

/** What the server says. */
export type ServerMessage =
  /** First of all, and every 10 s: the server lives. */
  | { readonly type: 'mark'; readonly at: string }
  | {
      readonly type: 'snapshot';
      readonly id: string;
      /** Number of this message within its subscription; grows. */
      readonly revision: number;
      readonly cursor: string;
      readonly data: unknown;
    }
  /** The first delta after `since` says that the subscription is live again, also when nothing was missed. */
  | {
      readonly type: 'delta';
      readonly id: string;
      readonly revision: number;
      readonly cursor?: string;
      readonly data: unknown;
    }
  | {
      readonly type: 'reset';
      readonly id: string;
      /** `too_old`: the cursor cannot be continued. `slow`: the client took too little for too long. `overrun`: too much at once. */
      readonly reason: 'too_old' | 'slow' | 'overrun' | 'failed';
    }
  /** Without `id` it is about the message, with one that subscription has ended. */
  | { readonly type: 'error'; readonly id: string | null; readonly error: Problem };
