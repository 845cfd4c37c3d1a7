/**
 * One subscription of a socket: opens its topic, keeps what waits to be sent, and begins anew when what was sent is not complete
 * any more.
 */
import type { LiveTopic, ServerMessage } from '../../../common/contract/live.ts';
import { backoffMs } from '../../../common/database/retry.ts';
import { toProblem } from '../../../common/errors/index.ts';
import type { Cursor } from '../../../common/events/index.ts';
import { asSolyxError, type Principal } from '../../../common/http/index.ts';
import { Outbox } from './outbox.ts';
import type { EntityChange, LiveServices, OpenTopic, Outlet, TopicSpec } from './topic.ts';

type ResetReason = Extract<ServerMessage, { type: 'reset' }>['reason'];

/** What a subscription needs of its socket. */
export interface Carrier {
  readonly principal: Principal;
  readonly services: LiveServices;
  /** Sends text at once. */
  transmit(text: string): void;
  /** Something waits in an outbox. */
  mark(): void;
  /** Resolves when the socket can take more. */
  writable(): Promise<void>;
  /** The subscription ended by itself. */
  remove(subscription: Subscription): void;
}

export interface SubscriptionOptions {
  readonly id: string;
  readonly topic: LiveTopic;
  readonly spec: TopicSpec;
  readonly groups: readonly string[];
  readonly params: unknown;
  readonly since: string | undefined;
  readonly carrier: Carrier;
}

const longestPauseMs = 5_000;

export class Subscription implements Outlet {
  readonly id: string;
  readonly outbox = new Outbox();
  closed = false;
  readonly #options: SubscriptionOptions;
  readonly #carrier: Carrier;
  /** `"id":…` of every message. */
  readonly #idJson: string;
  #open: OpenTopic | undefined;
  #watched: readonly string[] | undefined;
  #revision = 0;
  /** Of the last time it was opened: what an older opening still says does not count. */
  #generation = 0;
  #failures = 0;
  #pause: NodeJS.Timeout | undefined;

  constructor(options: SubscriptionOptions) {
    this.id = options.id;
    this.#options = options;
    this.#carrier = options.carrier;
    this.#idJson = JSON.stringify(options.id);
    options.carrier.services.metrics.subscriptions.inc({ topic: options.spec.name });
    void this.#begin(options.since);
  }

  watch(ids: readonly string[]): void {
    this.#watched = ids;
    this.#open?.watch?.(ids);
  }

  close(): void {
    if (this.closed) return;
    this.closed = true;
    clearTimeout(this.#pause);
    this.#open?.close();
    this.outbox.clear();
    this.#carrier.services.metrics.subscriptions.dec({ topic: this.#options.spec.name });
  }

  snapshot(json: string, cursor: Cursor): void {
    if (this.closed) return;
    this.outbox.clear();
    this.#failures = 0;
    this.#transmit('snapshot', json, cursor);
  }

  push(changes: readonly EntityChange[], cursor?: Cursor): void {
    if (this.closed) return;
    const overtaken = this.outbox.add(changes, cursor);
    if (overtaken > 0) this.#carrier.services.metrics.coalesced.inc(overtaken);
    if (!this.outbox.isEmpty) this.#carrier.mark();
  }

  send(json: string, cursor: Cursor): void {
    if (!this.closed) this.#transmit('delta', json, cursor);
  }

  /** Sends what waits. */
  flush(): void {
    if (this.closed || this.outbox.isEmpty) return;
    const { oldestAtMs, cursor } = this.outbox;
    this.#transmit('delta', this.outbox.take(), cursor);
    if (oldestAtMs !== Number.POSITIVE_INFINITY) {
      this.#carrier.services.metrics.sendSeconds.observe(Math.max(0, Date.now() - oldestAtMs) / 1000);
    }
  }

  /** Tells a subscription that has been quiet how far it is complete, so that its cursor does not grow old. */
  confirm(): void {
    const { cursor } = this.outbox;
    if (this.closed || cursor === undefined || !this.outbox.isEmpty) return;
    this.#transmit('delta', '{}', cursor);
  }

  writable(): Promise<void> {
    return this.#carrier.writable();
  }

  reset(reason: ResetReason): void {
    if (this.closed) return;
    this.outbox.clear();
    this.#open?.close();
    this.#open = undefined;
    this.#carrier.services.metrics.resets.inc({ reason });
    this.#transmitText('reset', `{"type":"reset","id":${this.#idJson},"reason":"${reason}"}`);
    const generation = ++this.#generation;
    const pause = reason === 'failed' ? backoffMs(++this.#failures, longestPauseMs) : 0;
    this.#pause = setTimeout(() => {
      if (generation === this.#generation) void this.#begin(undefined);
    }, pause);
  }

  /** Opens the topic. A failure that passes is repeated by a reset; one that does not ends the subscription. */
  async #begin(since: string | undefined): Promise<void> {
    const generation = ++this.#generation;
    const { spec, params, groups } = this.#options;
    const { services, principal } = this.#carrier;
    const isCurrent = () => !this.closed && generation === this.#generation;
    const outlet: Outlet = new CurrentOutlet(this, isCurrent);
    try {
      // A snapshot that waits in memory for a slow client would be old when it is sent.
      await this.#carrier.writable();
      if (!isCurrent()) return;
      const open = await spec.open({ services, principal, params, groups, since, outlet });
      if (!isCurrent()) return open.close();
      this.#open = open;
      if (this.#watched) open.watch?.(this.#watched);
    } catch (error) {
      if (!isCurrent()) return;
      const known = asSolyxError(error);
      if (known.status >= 500) {
        services.deps.logger.warn({ err: error, topic: this.#options.topic }, 'a live topic could not be opened');
        return this.reset('failed');
      }
      this.#transmitText('error', JSON.stringify({ type: 'error', id: this.id, error: toProblem(known) }));
      this.#carrier.remove(this);
    }
  }

  #transmit(type: 'snapshot' | 'delta', json: string, cursor: Cursor | undefined): void {
    this.outbox.cursor = cursor;
    const at = cursor === undefined ? '' : `,"cursor":${JSON.stringify(cursor)}`;
    const head = `{"type":"${type}","id":${this.#idJson},"revision":${this.#revision++}${at}`;
    this.#transmitText(type, `${head},"data":${json}}`);
  }

  #transmitText(type: string, text: string): void {
    this.#carrier.services.metrics.messages.inc({ type });
    this.#carrier.transmit(text);
  }
}

/** An outlet that falls silent when its opening is over: a slow read of it may still come back. */
class CurrentOutlet implements Outlet {
  readonly #subscription: Subscription;
  readonly #isCurrent: () => boolean;

  constructor(subscription: Subscription, isCurrent: () => boolean) {
    this.#subscription = subscription;
    this.#isCurrent = isCurrent;
  }

  get closed(): boolean {
    return !this.#isCurrent();
  }

  snapshot(json: string, cursor: Cursor): void {
    if (this.#isCurrent()) this.#subscription.snapshot(json, cursor);
  }

  push(changes: readonly EntityChange[], cursor?: Cursor): void {
    if (this.#isCurrent()) this.#subscription.push(changes, cursor);
  }

  send(json: string, cursor: Cursor): void {
    if (this.#isCurrent()) this.#subscription.send(json, cursor);
  }

  reset(reason: 'too_old' | 'overrun' | 'failed'): void {
    if (this.#isCurrent()) this.#subscription.reset(reason);
  }

  writable(): Promise<void> {
    return this.#subscription.writable();
  }
}
