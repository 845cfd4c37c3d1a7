/**
 * One channel at the agent: its socket, the request that comes first on it, and its end, which every part is told of once.
 */
import type { WebSocket } from 'ws';
import { type ChannelMux, type ChannelSocket, type ChannelStream, overSocket } from '../../../common/channels/index.ts';
import {
  type ChannelEvent,
  type ChannelRequest,
  channelRequest,
  mostChannelStreams,
} from '../../../common/contract/agent/channels.ts';
import { SolyxError } from '../../../common/errors/index.ts';

/** The server sends the request at once. */
const requestMs = 15_000;

export class AgentChannel {
  readonly id: string;
  readonly #socket: ChannelSocket;
  readonly #request = Promise.withResolvers<ChannelRequest>();
  readonly #enders: (() => void)[] = [];
  #onControl: (message: unknown) => void = (message) => this.#takeRequest(message);
  #onOpen: ((stream: ChannelStream, request: unknown) => void) | undefined;
  #ended = false;

  constructor(id: string, socket: WebSocket) {
    this.id = id;
    this.#socket = overSocket(socket, {
      mostStreams: mostChannelStreams + 8,
      onControl: (message) => this.#onControl(message),
      onOpen: (stream, request) => {
        if (this.#onOpen) this.#onOpen(stream, request);
        else stream.destroy();
      },
      onClosed: () => this.#end(),
    });
    this.#request.promise.catch(() => undefined);
    const timer = setTimeout(() => this.#request.reject(new Error('no request came')), requestMs);
    void this.#request.promise.then(() => clearTimeout(timer)).catch(() => undefined);
  }

  get mux(): ChannelMux {
    return this.#socket.mux;
  }

  get hasEnded(): boolean {
    return this.#ended;
  }

  /** What the channel is for. @throws Error when the channel ends before, or the request is none */
  request(): Promise<ChannelRequest> {
    return this.#request.promise;
  }

  /** Control messages after the request. */
  onControl(listener: (message: unknown) => void): void {
    this.#onControl = listener;
  }

  /** Streams that the client opens; without it none may be. */
  onOpen(listener: (stream: ChannelStream, request: unknown) => void): void {
    this.#onOpen = listener;
  }

  /** Calls `fn` once when the channel is gone, at once when it is already. */
  onEnd(fn: () => void): void {
    if (this.#ended) fn();
    else this.#enders.push(fn);
  }

  say(event: ChannelEvent): void {
    if (!this.#ended) this.mux.control(event);
  }

  /** All was said. */
  finish(): void {
    this.#socket.close(1000, '');
  }

  /** Says why and closes. */
  fail(error: SolyxError): void {
    this.say({ type: 'error', code: error.code, detail: (error.detail ?? '').slice(0, 4000) });
    this.#socket.close(4410, error.code);
    this.#end();
  }

  #takeRequest(message: unknown): void {
    const parsed = channelRequest.safeParse(message);
    this.#onControl = () => undefined;
    if (parsed.success) this.#request.resolve(parsed.data);
    else this.#request.reject(new SolyxError('bad_request', 'The agent does not understand what is wanted.'));
  }

  #end(): void {
    if (this.#ended) return;
    this.#ended = true;
    this.#request.reject(new Error('the channel was closed'));
    for (const fn of this.#enders.splice(0)) fn();
  }
}
