/**
 * One node's socket: from its hello to its end.
 *
 * Heartbeats and acknowledgements of commands are light and are dealt with as they come. Reports, logs and metrics cost a
 * transaction, so they queue, and whatever has queued while one transaction ran goes into the next one together. When
 * too many bytes queue the socket is paused: TCP then stops the agent, and through its credit the job's pipe. Every
 * byte is checked against the schema; a node that sends nonsense is cut off and can harm nobody else.
 */

import { WebSocket } from 'ws';
import {
  type AgentMessage,
  agentMessage,
  closeCodes,
  type GatewayMessage,
  maxFrameBytes,
} from '../../common/contract/agent/protocol.ts';
import type { Logger } from '../../common/logger.ts';
import type { NodeIdentity } from './authenticate.ts';
import { cleanText } from './clean-text.ts';
import type { AckedStream, GatewayMeters } from './meters.ts';

export type StreamMessage = Extract<AgentMessage, { type: 'reports' | 'logs' | 'metrics' }>;
export type Hello = Extract<AgentMessage, { type: 'hello' }>;
export type LightMessage = Exclude<AgentMessage, StreamMessage | Hello>;

/** What a session hands on; each may fail, then the socket is closed and the agent repeats what was not acknowledged. */
export interface SessionHandlers {
  hello(session: NodeSession, hello: Hello): Promise<void>;
  /** Reports, logs and metrics in the order in which they came. */
  streams(session: NodeSession, messages: readonly StreamMessage[]): Promise<void>;
  message(session: NodeSession, message: LightMessage): void;
  closed(session: NodeSession): void;
}

export interface SessionTimings {
  /** A socket that does not say hello is closed, ms. */
  readonly helloMs: number;
  /** Between pings, ms. */
  readonly pingMs: number;
  /** A socket from which nothing came for so long is dead, ms. */
  readonly idleMs: number;
}

export const defaultTimings: SessionTimings = { helloMs: 10_000, pingMs: 10_000, idleMs: 25_000 };

type CloseName = keyof typeof closeCodes;
const pauseAtBytes = 4 * 1_048_576;
/** A frame beyond this is not even read: `ws` closes by itself. Between the two limits the agent is told why. */
export const hardFrameBytes = 2 * maxFrameBytes;

export class NodeSession {
  readonly nodeId: string;
  readonly siteId: string;
  readonly keyId: string;
  readonly sessionId: string;
  /** Commands that were sent on this socket and need no repeating on it, until they are acknowledged: when, ms. */
  readonly sentCommands = new Map<string, { readonly kind: string; readonly atMs: number }>();
  /** Channels that were announced on this socket. */
  readonly sentChannels = new Set<string>();
  /** From the hello; '' before. */
  bootId = '';
  agentVersion = '';
  /** Protocol version that the agent speaks; 1 before the hello. */
  protocol = 1;
  readonly #socket: WebSocket;
  readonly #handlers: SessionHandlers;
  readonly #logger: Logger;
  readonly #timings: SessionTimings;
  readonly #meters: GatewayMeters;
  #state: 'new' | 'greeting' | 'open' | 'closed' = 'new';
  #queue: { message: StreamMessage; arrivedMs: number }[] = [];
  #queuedBytes = 0;
  #working: Promise<void> | undefined;
  #lastHeard = performance.now();
  #timer: NodeJS.Timeout;

  constructor(options: {
    socket: WebSocket;
    identity: NodeIdentity;
    sessionId: string;
    handlers: SessionHandlers;
    logger: Logger;
    timings: SessionTimings;
    meters: GatewayMeters;
  }) {
    this.nodeId = options.identity.nodeId;
    this.siteId = options.identity.siteId;
    this.keyId = options.identity.keyId;
    this.sessionId = options.sessionId;
    this.#socket = options.socket;
    this.#handlers = options.handlers;
    this.#timings = options.timings;
    this.#meters = options.meters;
    this.#logger = options.logger.child({ node: this.nodeId, session: options.sessionId });
    const opened = performance.now();
    this.#timer = setInterval(() => this.#watch(opened), Math.min(this.#timings.pingMs, this.#timings.helloMs) / 2);
    this.#socket.on('message', (data: Buffer, isBinary) => this.#receive(data, isBinary));
    this.#socket.on('pong', () => this.#heard());
    this.#socket.on('ping', () => this.#heard());
    this.#socket.on('error', (error) => this.#logger.info({ err: error }, 'the socket of a node failed'));
    this.#socket.on('close', () => this.#ended());
  }

  get isOpen(): boolean {
    return this.#state === 'open';
  }

  send(message: GatewayMessage): void {
    if (this.#socket.readyState !== WebSocket.OPEN) return;
    this.#meters.framesSent.inc({ type: message.type });
    this.#socket.send(JSON.stringify(message));
  }

  /** Says why and closes; a peer that does not answer is cut off. */
  close(why: CloseName, code?: string, detail = ''): void {
    if (this.#state === 'closed') return;
    this.#meters.closed.inc({ why });
    if (code !== undefined) this.send({ type: 'error', code, detail: detail.slice(0, 1000) });
    this.#logger.info({ why, code, detail }, 'closing the socket of a node');
    this.#socket.close(closeCodes[why].code, why);
    setTimeout(() => this.#socket.terminate(), 2_000).unref();
    this.#ended();
  }

  /** A frame that came at `arrivedMs` was answered. */
  acknowledged(stream: AckedStream, arrivedMs: number): void {
    this.#meters.ackSeconds.observe({ stream }, (performance.now() - arrivedMs) / 1000);
  }

  /** Resolves when nothing of this session is being written. */
  async idle(): Promise<void> {
    await this.#working;
  }

  #heard(): void {
    this.#lastHeard = performance.now();
  }

  #watch(opened: number): void {
    const now = performance.now();
    if (this.#state === 'new' && now - opened > this.#timings.helloMs) {
      this.close('protocol', 'bad_request', 'No hello came.');
    } else if (now - this.#lastHeard > this.#timings.idleMs && !this.#socket.isPaused) {
      // Half open: the peer is gone without a word, so a polite close would wait for an answer that never comes.
      this.#logger.info('the socket of a node went silent');
      this.#socket.terminate();
      this.#ended();
    } else if (this.#socket.readyState === WebSocket.OPEN) this.#socket.ping();
  }

  #receive(data: Buffer, isBinary: boolean): void {
    if (this.#state === 'closed') return;
    this.#heard();
    if (data.length > maxFrameBytes) {
      this.close('tooLarge', 'body_too_large', `A frame has at most ${maxFrameBytes} bytes.`);
      return;
    }
    const message = isBinary ? undefined : parseFrame(data);
    this.#meters.receivedBytes.inc(data.length);
    if (message !== undefined) this.#meters.framesReceived.inc({ type: message.type });
    if (message === undefined) this.close('protocol', 'bad_request', 'A frame does not match its schema.');
    else if (message.type === 'hello') this.#greet(message);
    else if (this.#state !== 'open') this.close('protocol', 'bad_request', 'The first frame must be hello.');
    else if (isStream(message)) this.#enqueue(message, data.length);
    else this.#handlers.message(this, message);
  }

  #enqueue(message: StreamMessage, bytes: number): void {
    this.#queue.push({ message, arrivedMs: performance.now() });
    this.#queuedBytes += bytes;
    if (this.#queuedBytes > pauseAtBytes) this.#socket.pause();
    this.#working ??= this.#work();
  }

  #greet(hello: Hello): void {
    if (this.#state !== 'new') {
      this.close('protocol', 'bad_request', 'Hello is said once.');
      return;
    }
    this.#state = 'greeting';
    this.bootId = hello.bootId;
    this.agentVersion = hello.agentVersion;
    this.protocol = hello.protocol;
    this.#handlers.hello(this, hello).then(
      () => {
        if (this.#state === 'greeting') this.#state = 'open';
      },
      (error) => this.#fail(error),
    );
  }

  async #work(): Promise<void> {
    while (this.#queue.length > 0 && this.#state === 'open') {
      const batch = this.#queue;
      this.#queue = [];
      this.#queuedBytes = 0;
      if (this.#socket.isPaused) this.#socket.resume();
      try {
        await this.#handlers.streams(
          this,
          batch.map((item) => item.message),
        );
        for (const { message, arrivedMs } of batch) this.acknowledged(message.type, arrivedMs);
      } catch (error) {
        this.#fail(error);
      }
    }
    this.#working = undefined;
  }

  #fail(error: unknown): void {
    this.#logger.warn({ err: error }, 'what a node sent could not be recorded; it will send it again');
    this.close('shuttingDown', 'not_ready', 'The server cannot record this now.');
  }

  #ended(): void {
    if (this.#state === 'closed') return;
    this.#state = 'closed';
    clearInterval(this.#timer);
    this.#queue = [];
    this.#handlers.closed(this);
  }
}

const isStream = (message: StreamMessage | LightMessage): message is StreamMessage =>
  message.type === 'reports' || message.type === 'logs' || message.type === 'metrics';

function parseFrame(data: Buffer): AgentMessage | undefined {
  let value: unknown;
  try {
    value = JSON.parse(data.toString('utf8'));
  } catch {
    return undefined;
  }
  const type = (value as { type?: unknown } | null)?.type;
  // Log text stays JSON inside a text column, which holds everything; the rest becomes columns and jsonb. Heartbeats are
  // written together with those of other nodes, which one NUL must not keep from being heard.
  const parsed = agentMessage.safeParse(type === 'logs' ? value : cleanText(value));
  return parsed.success ? parsed.data : undefined;
}
