/**
 * One live socket: messages in, checked and counted; subscriptions by the client's names; what they have to say out, no faster
 * than the client takes it.
 *
 * Slowness is bounded three times: what waits is one value an entity (`outbox.ts`); when that grows beyond a limit the largest
 * subscription is begun anew instead of buffered; and a client that takes nothing for half a minute is cut off.
 */
import type { Duplex } from 'node:stream';
import { WebSocket } from 'ws';
import { type LiveTopic, liveCloseCodes } from '../../../common/contract/live.ts';
import { type Code, SolyxError, toProblem } from '../../../common/errors/index.ts';
import type { Principal } from '../../../common/http/index.ts';
import { issuesOf } from '../../../common/http/validation.ts';
import type { Flushable, Flusher } from './flusher.ts';
import { textFrame } from './frames.ts';
import { type ParsedMessage, parseMessage } from './messages.ts';
import { end } from './sockets.ts';
import { type Carrier, Subscription } from './subscription.ts';
import type { LiveServices, TopicSpec } from './topic.ts';

/** Most subscriptions of a socket. */
const mostSubscriptions = 64;

export interface ConnectionLimits {
  /** Bytes on the way beyond which nothing more is sent, and below which it goes on. */
  readonly fullBytes: number;
  readonly lowBytes: number;
  /** Bytes that may wait in outboxes. */
  readonly mostWaitingBytes: number;
  /** A client that takes too little for so long is cut off, ms. */
  readonly stuckMs: number;
}

const defaultLimits: ConnectionLimits = {
  fullBytes: 262_144,
  lowBytes: 65_536,
  mostWaitingBytes: 1_048_576,
  stuckMs: 30_000,
};
/** Messages of a client: so many at once, and a second. */
const messageBurst = 200;
const messagesPerSecond = 40;

export interface ConnectionOptions {
  readonly socket: WebSocket;
  /** What the socket was made of: text goes straight to it. */
  readonly stream: Duplex;
  readonly principal: Principal;
  readonly services: LiveServices;
  readonly flusher: Flusher;
  readonly topics: readonly TopicSpec[];
  readonly limits?: Partial<ConnectionLimits>;
}

export class Connection implements Carrier, Flushable {
  readonly principal: Principal;
  readonly services: LiveServices;
  readonly #socket: WebSocket;
  readonly #stream: Duplex;
  readonly #flusher: Flusher;
  readonly #topics: readonly TopicSpec[];
  readonly #limits: ConnectionLimits;
  readonly #subscriptions = new Map<string, Subscription>();
  readonly #waiters: (() => void)[] = [];
  #fullSince: number | undefined;
  #allowance = messageBurst;
  #allowanceAt = performance.now();
  /** Whether anything was heard since the last ping. */
  #alive = true;

  constructor(options: ConnectionOptions) {
    this.principal = options.principal;
    this.services = options.services;
    this.#socket = options.socket;
    this.#stream = options.stream;
    this.#flusher = options.flusher;
    this.#topics = options.topics;
    this.#limits = { ...defaultLimits, ...options.limits };
    this.#socket.on('message', (data: Buffer, isBinary) => this.#receive(data, isBinary));
    this.#socket.on('pong', () => {
      this.#alive = true;
    });
    this.#socket.once('close', () => this.#ended());
    this.sayMark();
  }

  /** Tells the client that the server lives; browsers see no pings. */
  sayMark(): void {
    this.transmit(`{"type":"mark","at":"${new Date().toISOString()}"}`);
  }

  /** Pings; cuts off a peer that answered nothing since the last one. */
  ping(): void {
    if (this.#socket.readyState !== WebSocket.OPEN) return;
    if (!this.#alive) {
      this.#socket.terminate();
      return;
    }
    this.#alive = false;
    this.#socket.ping();
    for (const subscription of this.#subscriptions.values()) subscription.confirm();
  }

  transmit(text: string): void {
    if (this.#socket.readyState === WebSocket.OPEN) this.#stream.write(textFrame(text));
  }

  mark(): void {
    this.#flusher.mark(this);
  }

  remove(subscription: Subscription): void {
    subscription.close();
    if (this.#subscriptions.get(subscription.id) === subscription) this.#subscriptions.delete(subscription.id);
  }

  writable(): Promise<void> {
    if (!this.#isFull()) return Promise.resolve();
    this.#flusher.mark(this);
    return new Promise((resolve) => this.#waiters.push(resolve));
  }

  flush(): boolean {
    if (this.#socket.readyState !== WebSocket.OPEN) return false;
    for (const subscription of this.#subscriptions.values()) {
      if (this.#isFull()) return this.#stayFull();
      subscription.flush();
    }
    while (this.#waiters.length > 0) {
      if (this.#isFull()) return this.#stayFull();
      this.#waiters.shift()!();
    }
    return false;
  }

  /** Full until the socket has nearly emptied, so that frames are not sent one by one into a full pipe. */
  #isFull(): boolean {
    const { bufferedAmount } = this.#socket;
    if (bufferedAmount <= (this.#fullSince === undefined ? this.#limits.fullBytes : this.#limits.lowBytes)) {
      this.#fullSince = undefined;
      return false;
    }
    this.#fullSince ??= performance.now();
    return true;
  }

  #stayFull(): boolean {
    if (performance.now() - this.#fullSince! > this.#limits.stuckMs) {
      end(this.#socket, liveCloseCodes.slow, 'slow');
      this.#socket.terminate();
      return false;
    }
    let waiting = 0;
    for (const { outbox } of this.#subscriptions.values()) waiting += outbox.bytes;
    if (waiting > this.#limits.mostWaitingBytes) {
      const [largest] = [...this.#subscriptions.values()].sort((a, b) => b.outbox.bytes - a.outbox.bytes);
      largest?.reset('slow');
    }
    return true;
  }

  #receive(data: Buffer, isBinary: boolean): void {
    this.#alive = true;
    const message = isBinary ? undefined : parseMessage(data);
    if (message === undefined || !this.#mayTalk()) {
      const why = message === undefined ? 'not a message of this protocol' : 'too many messages';
      end(this.#socket, liveCloseCodes.protocol, why);
      return;
    }
    switch (message.op) {
      case 'subscribe':
        this.#subscribe(message);
        break;
      case 'unsubscribe': {
        const subscription = this.#subscriptions.get(message.id);
        if (subscription) this.remove(subscription);
        break;
      }
      case 'watch':
        this.#subscriptions.get(message.id)?.watch(message.ids);
    }
  }

  #mayTalk(): boolean {
    const now = performance.now();
    this.#allowance = Math.min(messageBurst, this.#allowance + ((now - this.#allowanceAt) / 1000) * messagesPerSecond);
    this.#allowanceAt = now;
    this.#allowance -= 1;
    return this.#allowance >= 0;
  }

  #subscribe({ id, topic, params, since }: Extract<ParsedMessage, { op: 'subscribe' }>): void {
    const before = this.#subscriptions.get(id);
    if (before) this.remove(before);
    if (this.#subscriptions.size >= mostSubscriptions) {
      this.#refuse(id, 'conflict', `A socket has at most ${mostSubscriptions} subscriptions.`);
      return;
    }
    for (const spec of this.#topics) {
      const match = spec.pattern.exec(topic);
      if (!match) continue;
      const parsed = spec.params.safeParse(params ?? {});
      if (!parsed.success) {
        const error = new SolyxError('invalid_query', { issues: issuesOf(parsed.error.issues) });
        this.transmit(JSON.stringify({ type: 'error', id, error: toProblem(error) }));
        return;
      }
      const options = { id, topic: topic as LiveTopic, spec, groups: match.slice(1), params: parsed.data, since };
      this.#subscriptions.set(id, new Subscription({ ...options, carrier: this }));
      return;
    }
    this.#refuse(id, 'not_found', `There is no topic ${topic.slice(0, 80)}.`);
  }

  #refuse(id: string, code: Code, detail: string): void {
    this.transmit(JSON.stringify({ type: 'error', id, error: toProblem(new SolyxError(code, detail)) }));
  }

  #ended(): void {
    this.#flusher.forget(this);
    for (const subscription of this.#subscriptions.values()) subscription.close();
    this.#subscriptions.clear();
    // Whoever waits finds itself closed.
    for (const resolve of this.#waiters.splice(0)) resolve();
  }
}
