/**
 * The agent's end of the socket: connects outward, again and again, and says when it is open.
 *
 * A socket may die without a word (a suspended laptop, a router that forgot us), so silence is death: the server pings
 * every ten seconds. Tries are spread by jitter, so that a fleet whose server returns does not arrive at once.
 */
import { WebSocket } from 'ws';
import {
  type AgentMessage,
  closeCodes,
  type GatewayMessage,
  gatewayMessage,
  maxFrameBytes,
} from '../../common/contract/agent/protocol.ts';
import { backoffMs } from '../../common/database/retry.ts';
import type { Logger } from '../../common/logger.ts';
import { resolveServer, type ServerAddress } from './server-address.ts';

export interface ConnectionOptions {
  readonly address: ServerAddress;
  readonly token: string;
  readonly logger: Logger;
  /** What to say first; asked anew for every socket. */
  readonly hello: () => Promise<Extract<AgentMessage, { type: 'hello' }>>;
  readonly onWelcome: (welcome: Extract<GatewayMessage, { type: 'welcome' }>) => void;
  readonly onMessage: (message: GatewayMessage) => void;
  readonly onClosed: () => void;
  /** The server does not want this node any more; no further try is made. */
  readonly onRevoked: () => void;
  /** A socket from which nothing came for so long is dead, ms; default 25,000. */
  readonly idleMs?: number;
  /** Longest pause between tries, ms; default 10,000. */
  readonly longestPauseMs?: number;
}

/** Pause after the server refused our protocol: somebody has to upgrade something. */
const refusedPauseMs = 60_000;

export class Connection {
  readonly #options: ConnectionOptions;
  #socket: WebSocket | undefined;
  #isOpen = false;
  #stopped = false;
  #retry: NodeJS.Timeout | undefined;
  #failures = 0;
  #lastHeard = 0;
  #idle: NodeJS.Timeout | undefined;

  constructor(options: ConnectionOptions) {
    this.#options = options;
  }

  /** Whether the server has welcomed us on this socket. */
  get isOpen(): boolean {
    return this.#isOpen;
  }

  start(): void {
    void this.#connect();
  }

  /** Sends if the socket is open; what matters is repeated after the next welcome. @returns whether it was open */
  send(message: AgentMessage): boolean {
    if (!this.#isOpen) return false;
    this.#socket?.send(JSON.stringify(message));
    return true;
  }

  stop(): void {
    this.#stopped = true;
    clearTimeout(this.#retry);
    clearInterval(this.#idle);
    this.#socket?.close(1000);
    const socket = this.#socket;
    setTimeout(() => socket?.terminate(), 1_000).unref();
  }

  async #connect(): Promise<void> {
    const server = await resolveServer(this.#options.address);
    if (this.#stopped) return;
    if (server === undefined) return this.#again();
    const hello = await this.#options.hello();
    if (this.#stopped) return;
    const socket = new WebSocket(`${server.replace(/^http/, 'ws')}/v1/agent/connect`, {
      headers: { authorization: `Bearer ${this.#options.token}` },
      maxPayload: maxFrameBytes,
      handshakeTimeout: 10_000,
      perMessageDeflate: false,
    });
    this.#socket = socket;
    this.#lastHeard = performance.now();
    this.#idle = setInterval(() => {
      if (performance.now() - this.#lastHeard > (this.#options.idleMs ?? 25_000)) socket.terminate();
    }, 1_000);
    socket.on('open', () => socket.send(JSON.stringify(hello)));
    socket.on('ping', () => this.#heard());
    socket.on('message', (data: Buffer) => this.#receive(socket, data));
    socket.on('error', (error) =>
      this.#options.logger.debug({ err: error, server }, 'the control plane cannot be reached'),
    );
    socket.on('close', (code) => this.#closed(code));
  }

  #heard(): void {
    this.#lastHeard = performance.now();
  }

  #receive(socket: WebSocket, data: Buffer): void {
    this.#heard();
    let parsed: ReturnType<typeof gatewayMessage.safeParse>;
    try {
      parsed = gatewayMessage.safeParse(JSON.parse(data.toString('utf8')));
    } catch {
      socket.terminate();
      return;
    }
    if (!parsed.success) {
      this.#options.logger.warn({ issues: parsed.error.issues }, 'the server sent what this agent does not know');
      return;
    }
    const message = parsed.data;
    if (message.type === 'welcome') {
      this.#isOpen = true;
      this.#failures = 0;
      this.#options.onWelcome(message);
    } else if (message.type === 'error') {
      this.#options.logger.warn({ code: message.code, detail: message.detail }, 'the server refused');
    } else this.#options.onMessage(message);
  }

  #closed(code: number): void {
    clearInterval(this.#idle);
    this.#socket = undefined;
    const wasOpen = this.#isOpen;
    this.#isOpen = false;
    if (wasOpen) this.#options.onClosed();
    if (this.#stopped) return;
    this.#options.logger.info({ code, wasOpen }, 'not connected to the control plane');
    if (code === closeCodes.revoked.code) {
      this.#stopped = true;
      this.#options.onRevoked();
    } else this.#again(code === closeCodes.protocol.code ? refusedPauseMs : 0);
  }

  #again(atLeastMs = 0): void {
    this.#failures += 1;
    const pause = Math.max(atLeastMs, backoffMs(this.#failures, this.#options.longestPauseMs ?? 10_000));
    this.#retry = setTimeout(() => void this.#connect(), pause);
  }
}
