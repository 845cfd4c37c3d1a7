/**
 * Files of a running job over HTTP: here the server itself is the end of the channel, and the body of the request or answer the other
 * side. A client that does not read stops the copy in the job by way of the stream's credit; nothing is gathered.
 */

import { Readable } from 'node:stream';
import { finished } from 'node:stream/promises';
import { type ChannelSocket, overSocket } from '../../../common/channels/index.ts';
import { type ChannelEvent, channelEvent, channelStreams } from '../../../common/contract/agent/channels.ts';
import { channelCloseCodes } from '../../../common/contract/channels.ts';
import type { Routes } from '../../../common/contract/routes/index.ts';
import { type Code, SolyxError } from '../../../common/errors/index.ts';
import type { Call, Handlers } from '../../../common/http/index.ts';
import type { ApiDeps } from '../deps.ts';
import type { HeldChannels } from './held.ts';
import { type OpenChannel, openChannel, type Wish } from './open.ts';

/** Most that one copy moves. */
export const copyLimits = { mostBytes: 64 * 2 ** 30, mostFiles: 200_000 } as const;

/** How long an agent that gave up the bytes has to say why, ms. */
const lastWordMs = 5_000;

/** Codes that an agent may answer a copy with; anything else of it is our fault or its. */
const agentCodes = new Set<string>([
  'path_not_found',
  'copy_refused',
  'exec_failed',
  'already_exists',
  'body_too_large',
  'disk_full',
  'job_not_running',
  'stale_token',
] satisfies Code[]);

export function channelHandlers(deps: ApiDeps, held: HeldChannels): Handlers<'getJobFiles' | 'putJobFiles'> {
  return {
    getJobFiles: async (call) => {
      const { path } = call.query;
      const copy = await Copy.open(deps, held, call, { kind: 'download', path, mostBytes: copyLimits.mostBytes });
      const { entry = 'file', mode = '644' } = await copy.expect('ready');
      const { reply } = call;
      // Bytes of a job are nobody's page: a browser that is sent here saves them and runs nothing.
      reply.header('content-type', entry === 'folder' ? 'application/x-tar' : 'application/octet-stream');
      reply.header('content-disposition', 'attachment').header('cache-control', 'no-store');
      reply.header('x-solyx-entry', entry).header('x-solyx-mode', mode);
      const body = Readable.from(copy.download(), { objectMode: false });
      // A client that leaves takes the copy with it.
      body.once('close', () => copy.end('the client is gone'));
      return reply.serializer((value: unknown) => value as string).send(body);
    },

    putJobFiles: async (call) => {
      const { path, entry, mode, name = '' } = call.query;
      const wish = { kind: 'upload', path, entry, mode, name, ...copyLimits } as const;
      const copy = await Copy.open(deps, held, call, wish);
      call.request.raw.once('close', () => {
        if (!call.request.raw.complete) copy.end('the client is gone');
      });
      await copy.expect('ready');
      const done = copy.expect('done');
      // Whichever ends it first: the agent may refuse in the middle of the body.
      await Promise.race([done, copy.upload(call.request.body as Readable).then(() => done)]);
      const { files, bytes, path: target } = await done;
      await copy.finish({ files, bytes, path: target });
      return { path: target, files, bytes };
    },
  };
}

type Asked = Call<Routes['getJobFiles']> | Call<Routes['putJobFiles']>;
type EventOf<T extends ChannelEvent['type']> = Extract<ChannelEvent, { type: T }>;

/** One copy: the channel, what the agent said, and its end. */
class Copy {
  readonly #channel: OpenChannel;
  readonly #socket: ChannelSocket;
  readonly #events: ChannelEvent[] = [];
  readonly #release: () => void;
  readonly #moved: () => void;
  #waiting: (() => void)[] = [];
  #failure: SolyxError | undefined;
  #bytes = 0;

  static async open(deps: ApiDeps, held: HeldChannels, call: Asked, wish: Wish): Promise<Copy> {
    const gone = new AbortController();
    const onClose = () => gone.abort();
    call.reply.raw.once('close', onClose);
    const { principal, params, query, request } = call;
    const { rank, attempt, path } = query;
    const ask = {
      principal,
      jobId: params.id,
      rank,
      attempt,
      wish,
      about: { path },
      ip: request.ip,
      gone: gone.signal,
    };
    const channel = await openChannel(deps, ask);
    call.reply.raw.off('close', onClose);
    return new Copy(channel, held);
  }

  private constructor(channel: OpenChannel, held: HeldChannels) {
    this.#channel = channel;
    this.#socket = overSocket(channel.agent, {
      onControl: (message) => this.#hear(message),
      onClosed: () => this.#fail(new SolyxError('channel_lost', 'The node closed it, or is gone.')),
    });
    const { moved, release } = held.hold(channel, ({ code, detail }) => this.#fail(new SolyxError(code, detail)));
    this.#moved = moved;
    this.#release = release;
  }

  /** The next event, which must be of this type. @throws SolyxError what the agent answered instead, or why the channel is gone */
  async expect<T extends ChannelEvent['type']>(type: T): Promise<EventOf<T>> {
    while (this.#events.length === 0 && this.#failure === undefined) {
      await this.#news();
    }
    const event = this.#events.shift();
    if (event === undefined) throw this.#failure;
    if (event.type !== type) throw this.#fail(new SolyxError('channel_lost', 'The node answered what nobody asked.'));
    return event as EventOf<T>;
  }

  /** The bytes, and an error after the last when the copy is not whole. */
  async *download(): AsyncGenerator<Buffer> {
    const stream = this.#socket.mux.stream(channelStreams.bytes);
    try {
      for await (const bytes of stream) {
        this.#count(bytes.length);
        yield bytes;
      }
    } catch (error) {
      throw await this.#whyBroken(error);
    }
    const { files, bytes } = await this.expect('done');
    // The node does not look into the tar of a folder.
    await this.finish({ ...(files > 0 && { files }), bytes });
  }

  /** Sends the body; the body is read to its end even when the node has refused it, so that the client hears why. */
  async upload(body: Readable): Promise<void> {
    const stream = this.#socket.mux.stream(channelStreams.bytes);
    body.on('data', (bytes: Buffer) => this.#count(bytes.length));
    body.pipe(stream);
    try {
      await finished(stream, { readable: false });
    } catch (error) {
      throw await this.#whyBroken(error);
    } finally {
      body.unpipe(stream);
      body.resume();
    }
  }

  /** Records a copy that is whole. */
  async finish(end: Readonly<Record<string, unknown>>): Promise<void> {
    this.#release();
    this.#socket.close(1000, '');
    await this.#channel.finish(end);
  }

  /** Gives the copy up, unless it is finished. */
  end(why: string): void {
    this.#fail(new SolyxError('channel_lost', why));
  }

  /** Why the stream of bytes broke: it ends before the agent has said why, or before its socket is gone. */
  async #whyBroken(error: unknown): Promise<unknown> {
    if (this.#failure === undefined) {
      await Promise.race([this.#news(), new Promise((resolve) => setTimeout(resolve, lastWordMs).unref())]);
    }
    return (
      this.#failure ?? this.#fail(new SolyxError('channel_lost', { detail: 'The node gave it up.', cause: error }))
    );
  }

  #hear(message: unknown): void {
    const event = channelEvent.safeParse(message).data;
    if (event === undefined) return void this.#fail(new SolyxError('channel_lost', 'The node speaks in riddles.'));
    if (event.type === 'error') {
      const code = agentCodes.has(event.code) ? (event.code as Code) : 'channel_lost';
      this.#fail(new SolyxError(code, event.detail));
      return;
    }
    if (this.#events.length < 8) this.#events.push(event);
    this.#tell();
  }

  #news(): Promise<void> {
    return new Promise((resolve) => this.#waiting.push(resolve));
  }

  #tell(): void {
    for (const resolve of this.#waiting.splice(0)) resolve();
  }

  #count(bytes: number): void {
    this.#bytes += bytes;
    this.#moved();
  }

  #fail(error: SolyxError): SolyxError {
    if (this.#failure !== undefined) return this.#failure;
    this.#failure = error;
    this.#release();
    this.#socket.close(channelCloseCodes.ended, error.code);
    this.#socket.mux.close(error);
    void this.#channel.finish({ bytes: this.#bytes, why: error.detail ?? error.code });
    this.#tell();
    return error;
  }
}
