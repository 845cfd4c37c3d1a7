/**
 * What a topic is: one file a topic in `topics/`, joined in `topics/index.ts`.
 *
 * A topic reads a snapshot and then says what changed, entity by entity, to its outlet. The outlet keeps the newest value of each
 * entity until the socket takes it, so a topic needs to know nothing of slow clients, frames or cursors of others.
 */
import type { z } from 'zod';
import type { Cursor } from '../../../common/events/index.ts';
import type { Principal } from '../../../common/http/index.ts';
import type { ApiDeps } from '../deps.ts';
import type { LiveFeed } from './feed.ts';
import type { LiveMetrics } from './metrics.ts';
import type { SharedReads } from './shared-reads.ts';
import type { SharedViews } from './shared-views.ts';

/** The new value of one entity. */
export interface EntityChange {
  /** The list of the delta that it belongs to; `fields`: the entity is one field, `key` its name. */
  readonly part: string;
  /** Which entity; a later change of the same key replaces this one. */
  readonly key: string;
  /** The value as JSON, made once for all who get it. */
  readonly json: string;
  /** When the event behind it was written, ms since 1970; for the histogram. */
  readonly atMs?: number;
}

/** Where a topic sends to: one subscription of one socket. */
export interface Outlet {
  /** Sends a snapshot; changes that wait are of before it and are thrown away. @param json the data */
  snapshot(json: string, cursor: Cursor): void;
  /** Queues changes. @param cursor up to where the subscription is complete when these are sent */
  push(changes: readonly EntityChange[], cursor?: Cursor): void;
  /** Sends what cannot be merged (log lines), in order. */
  send(json: string, cursor: Cursor): void;
  /** What was sent is not complete any more: the topic is opened anew, with a snapshot. */
  reset(reason: 'too_old' | 'overrun' | 'failed'): void;
  /** Resolves when the socket can take more; at once if it can. */
  writable(): Promise<void>;
  readonly closed: boolean;
}

/** What topics are built from; shared by all sockets of a process. */
export interface LiveServices {
  readonly deps: ApiDeps;
  readonly feed: LiveFeed;
  readonly reads: SharedReads;
  readonly views: SharedViews;
  readonly metrics: LiveMetrics;
}

export interface Opening<P> {
  readonly services: LiveServices;
  readonly principal: Principal;
  readonly params: P;
  /** What the pattern's groups matched in the topic's name. */
  readonly groups: readonly string[];
  /** Cursor to continue from; its topic made it, but it comes from outside. */
  readonly since: string | undefined;
  readonly outlet: Outlet;
}

/** A subscription at work. */
export interface OpenTopic {
  /** The rows that are on the client's screen now. */
  watch?(ids: readonly string[]): void;
  close(): void;
}

export interface TopicSpec<P = unknown> {
  /** For metrics. */
  readonly name: string;
  readonly pattern: RegExp;
  readonly params: z.ZodType<P>;
  /** Resolves when the snapshot, or what came since, was handed to the outlet. @throws not_found and whatever reads throw */
  open(opening: Opening<P>): Promise<OpenTopic>;
}

/** Keeps the parameters' type while topics stand in one list. */
export const defineTopic = <P>(spec: TopicSpec<P>): TopicSpec => spec as unknown as TopicSpec;
