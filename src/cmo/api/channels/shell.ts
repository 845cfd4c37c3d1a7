/**
 * Exec and port-forward: a client's WebSocket joined with the agent's.
 *
 * The server reads the first frame, finds the place, and from then on passes frames on as they are: credit is between client
 * and agent, so a slow client slows the command and nobody else, and what lies here is bounded by the pipe. It looks at frames only to
 * count bytes and to see how a command ended, for the audit log.
 */

import type { FastifyInstance } from 'fastify';
import type { WebSocket } from 'ws';
import {
  closeSocket,
  decodeFrame,
  encodeJson,
  frameTypes,
  mostFrameBytes,
  parseJson,
} from '../../../common/channels/index.ts';
import { channelEvent, forwardOpen } from '../../../common/contract/agent/channels.ts';
import {
  channelCloseCodes,
  clientSubprotocol,
  execPath,
  execStart,
  forwardPath,
  forwardStart,
} from '../../../common/contract/channels.ts';
import { SolyxError } from '../../../common/errors/index.ts';
import { asSolyxError } from '../../../common/http/index.ts';
import { pathSegment } from '../../../common/http/upgrades.ts';
import { pipeSockets } from '../../../metapod/gateway/index.ts';
import type { ApiDeps } from '../deps.ts';
import { type OpenedSocket, serveSockets } from '../live/index.ts';
import { EarlyMessages } from './early.ts';
import type { HeldChannels } from './held.ts';
import { type ChannelAsk, type OpenChannel, openChannel } from './open.ts';

type Kind = 'exec' | 'forward';
type Start = Pick<ChannelAsk, 'rank' | 'attempt' | 'wish' | 'about'>;

const paths = { exec: execPath, forward: forwardPath } as const;

/** Serves both sockets; call it before `listen`. */
export function serveShells(app: FastifyInstance, deps: ApiDeps, held: HeldChannels): void {
  for (const kind of ['exec', 'forward'] as const) {
    serveSockets(app, deps, {
      path: paths[kind],
      protocol: clientSubprotocol,
      purpose: kind,
      role: 'member',
      mostMessageBytes: mostFrameBytes,
      open: (opened) => void run(deps, held, kind, opened),
    });
  }
}

async function run(deps: ApiDeps, held: HeldChannels, kind: Kind, opened: OpenedSocket): Promise<void> {
  const { socket, principal, about, request } = opened;
  const early = new EarlyMessages(socket);
  const gone = new AbortController();
  socket.once('close', () => gone.abort());
  try {
    const start = readStart(kind, await early.first());
    const jobId = pathSegment(request, paths[kind], 'id');
    holdToTicket(about, jobId, start);
    const ip = request.socket.remoteAddress ?? '';
    const channel = await openChannel(deps, { principal, jobId, ip, gone: gone.signal, ...start });
    join(held, channel, socket, early, about.port);
  } catch (error) {
    const { code, detail = '', status } = asSolyxError(error);
    if (status >= 500 && code === 'internal') deps.logger.error({ err: error }, 'a channel could not be opened');
    refuse(socket, code, detail, channelCloseCodes.refused);
  }
}

/** Reads the client's first frame. @throws bad_request */
function readStart(kind: Kind, message: Buffer | undefined): Start {
  const frame = message && decodeFrame(message);
  const value = frame?.type === frameTypes.control ? parseJson(frame.payload) : undefined;
  if (kind === 'exec') {
    const parsed = execStart.safeParse(value);
    if (!parsed.success) throw notStarted(parsed.error.issues[0]?.message);
    const { rank, attempt, command, stdin, terminal } = parsed.data;
    return { rank, attempt, wish: { kind, command, stdin, terminal }, about: { command, terminal: terminal !== null } };
  }
  const parsed = forwardStart.safeParse(value);
  if (!parsed.success) throw notStarted(parsed.error.issues[0]?.message);
  return { rank: parsed.data.rank, attempt: parsed.data.attempt, wish: { kind }, about: {} };
}

const notStarted = (why = 'none came in time') =>
  new SolyxError('bad_request', `The first frame must be \`start\`: ${why}.`);

/** A ticket that was made for one thing opens no other. @throws forbidden */
function holdToTicket(about: OpenedSocket['about'], jobId: string, { rank, attempt, wish }: Start): void {
  const command = wish.kind === 'exec' ? wish.command : undefined;
  const isOther =
    (about.jobId !== undefined && about.jobId !== jobId) ||
    (about.rank !== undefined && about.rank !== rank) ||
    (about.attempt !== undefined && about.attempt !== attempt) ||
    (about.command !== undefined && JSON.stringify(about.command) !== JSON.stringify(command));
  if (isOther) throw new SolyxError('forbidden', 'The ticket was made for something else.');
}

/** Says why and closes. */
function refuse(socket: WebSocket, code: string, detail: string, closeCode: number): void {
  sayError(socket, code, detail);
  closeSocket(socket, closeCode, code);
}

function sayError(socket: WebSocket, code: string, detail: string): void {
  socket.send(encodeJson(frameTypes.control, 0, { type: 'error', code, detail: detail.slice(0, 4000) }));
}

/**
 * Passes frames between client and agent until one of them, or their right to, is gone.
 * @param onlyPort that a ticket was made for; undefined: any
 */
function join(
  held: HeldChannels,
  channel: OpenChannel,
  client: WebSocket,
  early: EarlyMessages,
  onlyPort: number | undefined,
): void {
  const { agent } = channel;
  const account = new Account();
  let why: string | undefined;
  const { moved, release } = held.hold(channel, ({ code, detail }) => {
    why = code;
    refuse(client, code, detail, channelCloseCodes.ended);
    closeSocket(agent, channelCloseCodes.ended, code);
  });
  pipeSockets(
    client,
    agent,
    {
      onMessage: (from, message) => {
        const frame = decodeFrame(message);
        if (frame === undefined) {
          closeSocket(from === 'a' ? client : agent, 1002, 'a message is no frame');
          return false;
        }
        if (from === 'a' && frame.type === frameTypes.open && onlyPort !== undefined) {
          const asked = forwardOpen.safeParse(parseJson(frame.payload));
          if (asked.data?.port !== onlyPort) {
            refuse(client, 'forbidden', `The ticket was made for port ${onlyPort}.`, channelCloseCodes.ended);
            return false;
          }
        }
        if (frame.type === frameTypes.data) moved();
        account.note(from, frame.type, frame.payload);
        return true;
      },
      onClosed: (by, code) => {
        release();
        if (by === 'b' && !account.isOver && why === undefined) {
          sayError(client, 'channel_lost', 'The node closed it, or is gone; the job goes on.');
        }
        why ??= by === 'a' ? (code === 1000 ? 'the client closed it' : 'the client is gone') : account.error;
        void channel.finish({ ...account.summary(), ...(!account.exited && { why: why ?? 'the node is gone' }) });
      },
    },
    early.release(),
  );
}

/** What of the frames belongs into the audit log. */
class Account {
  #bytes = { a: 0, b: 0 };
  #ports = new Set<number>();
  #connections = 0;
  #exit: { exitCode: number | null; signal: string | null } | undefined;
  #error: string | undefined;

  get exited(): boolean {
    return this.#exit !== undefined;
  }

  /** The agent has said its last word. */
  get isOver(): boolean {
    return this.exited || this.#error !== undefined;
  }

  get error(): string | undefined {
    return this.#error;
  }

  note(from: 'a' | 'b', type: number, payload: Buffer): void {
    if (type === frameTypes.data) this.#bytes[from] += payload.length;
    else if (type === frameTypes.open && from === 'a') {
      this.#connections += 1;
      const asked = forwardOpen.safeParse(parseJson(payload));
      if (asked.success && this.#ports.size < 64) this.#ports.add(asked.data.port);
    } else if (type === frameTypes.control && from === 'b') {
      const event = channelEvent.safeParse(parseJson(payload));
      if (event.data?.type === 'exit') this.#exit = { exitCode: event.data.code, signal: event.data.signal };
      if (event.data?.type === 'error') this.#error = event.data.code;
    }
  }

  summary(): Record<string, unknown> {
    return {
      bytesIn: this.#bytes.a,
      bytesOut: this.#bytes.b,
      ...this.#exit,
      ...(this.#connections > 0 && { connections: this.#connections, ports: [...this.#ports] }),
    };
  }
}
