/**
 * The live connection: one socket for the whole page, kept by whatever it takes, without any framework.
 *
 * A subscription outlives the socket. When that breaks, it is made again with growing, jittered pauses, and every subscription
 * goes on from its cursor, so nothing is missed and nothing need be loaded again. Browsers do not show pings, so the server says a
 * word every ten seconds; when none comes for 25, the connection counts as gone, whatever the browser believes.
 */
import type {
  ClientMessage,
  LiveDelta,
  LiveParams,
  LiveSnapshot,
  LiveTopic,
  liveProtocol,
  ServerMessage,
  ticketProtocolPrefix,
} from '../../../src/common/contract/live.ts';
import type { LiveState, LiveStatus } from './status.ts';

const protocol: typeof liveProtocol = 'solyx.live.v1';
const ticketPrefix: typeof ticketProtocolPrefix = 'solyx.ticket.';

/** Silence after which a connection counts as gone, ms. */
const silenceMs = 25_000;
/** Longest wait for a socket to open and to say its first word, ms. */
const openMs = 10_000;
const firstPauseMs = 250;
const longestPauseMs = 15_000;

type LiveError = Extract<ServerMessage, { type: 'error' }>['error'];

export interface LiveHandlers<T extends LiveTopic> {
  /** The whole picture; what was held before is to be replaced. */
  readonly onSnapshot: (data: LiveSnapshot<T>) => void;
  /** Entities as they are now. Applying one twice does no harm. */
  readonly onDelta: (data: LiveDelta<T>) => void;
  /** What is held is incomplete until the next snapshot, which comes by itself. */
  readonly onReset?: () => void;
  /** The subscription has ended: there is no such thing, or no right to it. */
  readonly onError?: (error: LiveError) => void;
}

export interface LiveSubscription {
  /** Topic `jobs`: the rows that are on the screen now. */
  watch(ids: readonly string[]): void;
  close(): void;
}

/** What is used of a WebSocket; the browser's and that of `ws` satisfy it. */
export interface SocketLike {
  readonly readyState: number;
  onopen: ((event: never) => void) | null;
  onmessage: ((event: { data: unknown }) => void) | null;
  onclose: ((event: { code: number }) => void) | null;
  onerror: ((event: never) => void) | null;
  send(text: string): void;
  close(code?: number): void;
}

/** Asking for a ticket was refused for good: signed out, or without the right. */
export class LiveRefused extends Error {}

export interface LiveOptions {
  /** Address of the socket, `wss://host/v1/live`. */
  readonly url: string;
  /** Gets a fresh ticket. @throws LiveRefused when asking again is of no use */
  readonly ticket: () => Promise<string>;
  readonly makeSocket?: (url: string, protocols: string[]) => SocketLike;
  readonly random?: () => number;
}

interface Entry {
  readonly id: string;
  readonly topic: LiveTopic;
  readonly params: Record<string, unknown>;
  readonly handlers: LiveHandlers<LiveTopic>;
  cursor: string | undefined;
  watched: readonly string[] | undefined;
}

const isOpen = 1;

export class LiveClient {
  readonly #options: LiveOptions;
  readonly #entries = new Map<string, Entry>();
  readonly #listeners = new Set<() => void>();
  #status: LiveStatus = { state: 'off', since: Date.now(), nextTryAt: null, why: null };
  #socket: SocketLike | undefined;
  #timer: ReturnType<typeof setTimeout> | undefined;
  #silence: ReturnType<typeof setTimeout> | undefined;
  #failures = 0;
  #lastId = 0;
  /** Of the present connection; what an older one still says does not count. */
  #generation = 0;
  /** When the last word came, ms since 1970. */
  #heardAt = Date.now();

  constructor(options: LiveOptions) {
    this.#options = options;
  }

  get status(): LiveStatus {
    return this.#status;
  }

  /** Calls `fn` at every change of the status. @returns how to stop */
  onStatus(fn: () => void): () => void {
    this.#listeners.add(fn);
    return () => this.#listeners.delete(fn);
  }

  /** Connects, and stays connected until `stop`. After a refusal: tries again. */
  start(): void {
    if (this.#status.state !== 'off' && this.#status.state !== 'refused') return;
    this.#failures = 0;
    this.#setStatus('connecting', null);
    void this.#connect();
  }

  /** Disconnects. Subscriptions stay and go on at the next start. */
  stop(): void {
    this.#drop();
    this.#setStatus('off', null);
  }

  /** Tries at once instead of after the pause: the network is back, or somebody looks at the page again. */
  hurry(): void {
    if (this.#status.state === 'reconnecting' && this.#timer !== undefined) void this.#connect();
  }

  /** Subscribes to a topic, now and after every break, until closed. */
  subscribe<T extends LiveTopic>(topic: T, params: LiveParams<T>, handlers: LiveHandlers<T>): LiveSubscription {
    const entry: Entry = {
      id: String(++this.#lastId),
      topic,
      params: params as Record<string, unknown>,
      handlers: handlers as unknown as LiveHandlers<LiveTopic>,
      cursor: undefined,
      watched: undefined,
    };
    this.#entries.set(entry.id, entry);
    this.#say(subscribing(entry));
    return {
      watch: (ids) => {
        if (entry.watched !== undefined && sameIds(entry.watched, ids)) return;
        entry.watched = [...ids];
        this.#say({ op: 'watch', id: entry.id, ids: entry.watched });
      },
      close: () => {
        if (this.#entries.delete(entry.id)) this.#say({ op: 'unsubscribe', id: entry.id });
      },
    };
  }

  async #connect(): Promise<void> {
    this.#drop();
    const generation = this.#generation;
    const isCurrent = () => generation === this.#generation;
    let ticket: string;
    try {
      ticket = await this.#options.ticket();
    } catch (error) {
      if (!isCurrent()) return;
      const why = error instanceof Error ? error.message : String(error);
      if (error instanceof LiveRefused) this.#setStatus('refused', null, why);
      else this.#retry(why);
      return;
    }
    if (!isCurrent()) return;
    const make = this.#options.makeSocket ?? ((url, protocols) => new WebSocket(url, protocols) as SocketLike);
    const socket = make(this.#options.url, [protocol, ticketPrefix + ticket]);
    this.#socket = socket;
    this.#expectWord(openMs);
    socket.onopen = () => {
      if (!isCurrent()) return;
      for (const entry of this.#entries.values()) this.#say(subscribing(entry));
    };
    socket.onmessage = ({ data }) => {
      if (isCurrent()) this.#receive(data);
    };
    socket.onerror = () => {};
    socket.onclose = ({ code }) => {
      if (isCurrent()) this.#retry(whyClosed(code));
    };
  }

  #receive(data: unknown): void {
    this.#heardAt = Date.now();
    this.#expectWord(silenceMs);
    if (this.#status.state !== 'live') {
      this.#failures = 0;
      this.#setStatus('live', null);
    }
    const message = parse(data);
    if (message === undefined || message.type === 'mark') return;
    const entry = message.id === null ? undefined : this.#entries.get(message.id);
    if (entry === undefined) return;
    switch (message.type) {
      case 'snapshot':
        entry.cursor = message.cursor;
        entry.handlers.onSnapshot(message.data as never);
        break;
      case 'delta':
        entry.cursor = message.cursor ?? entry.cursor;
        entry.handlers.onDelta(message.data as never);
        break;
      case 'reset':
        entry.cursor = undefined;
        entry.handlers.onReset?.();
        break;
      case 'error':
        this.#entries.delete(entry.id);
        entry.handlers.onError?.(message.error);
    }
  }

  #say(message: ClientMessage): void {
    if (this.#socket?.readyState === isOpen) this.#socket.send(JSON.stringify(message));
  }

  /** The connection counts as gone unless something is heard in time. */
  #expectWord(ms: number): void {
    clearTimeout(this.#silence);
    this.#silence = setTimeout(() => this.#retry('The server said nothing for a while.'), ms);
  }

  #retry(why: string): void {
    this.#drop();
    const random = this.#options.random ?? Math.random;
    const longest = Math.min(longestPauseMs, firstPauseMs * 2 ** Math.min(this.#failures++, 10));
    const pause = longest * (0.5 + random() / 2);
    this.#setStatus('reconnecting', Date.now() + pause, why);
    this.#timer = setTimeout(() => void this.#connect(), pause);
  }

  /** Forgets the present connection and whatever was planned. */
  #drop(): void {
    this.#generation += 1;
    clearTimeout(this.#timer);
    clearTimeout(this.#silence);
    this.#timer = undefined;
    const socket = this.#socket;
    this.#socket = undefined;
    if (socket) {
      socket.onopen = null;
      socket.onmessage = null;
      socket.onclose = null;
      socket.onerror = () => {};
      socket.close();
    }
  }

  #setStatus(state: LiveState, nextTryAt: number | null, why: string | null = null): void {
    const before = this.#status;
    // While it stays broken it counts from when the last word came, not from the last try.
    const since = before.state === state ? before.since : state === 'reconnecting' ? this.#heardAt : Date.now();
    this.#status = { state, since, nextTryAt, why };
    for (const fn of this.#listeners) fn();
  }
}

function subscribing({ id, topic, params, cursor, watched }: Entry): ClientMessage {
  return {
    op: 'subscribe',
    id,
    topic,
    params: watched === undefined ? params : { ...params, ids: watched },
    ...(cursor !== undefined && { since: cursor }),
  };
}

const sameIds = (a: readonly string[], b: readonly string[]): boolean =>
  a.length === b.length && a.every((id, index) => id === b[index]);

function parse(data: unknown): ServerMessage | undefined {
  try {
    return JSON.parse(String(data)) as ServerMessage;
  } catch {
    return undefined;
  }
}

function whyClosed(code: number): string {
  if (code === 1012) return 'The server restarts.';
  if (code === 4401) return 'Your rights changed; signing in again.';
  if (code === 4408) return 'This page took too long to take what was sent.';
  return 'The connection broke.';
}
