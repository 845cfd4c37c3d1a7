/** A channel into a running job: the command line's end of `GET /v1/jobs/:id/exec` and `…/forward`. */
import type { IncomingMessage } from 'node:http';
import { WebSocket } from 'ws';
import { type ChannelSocket, mostFrameBytes, overSocket } from '../common/channels/index.ts';
import { mostChannelStreams } from '../common/contract/agent/channels.ts';
import { clientSubprotocol, type ServerEvent, serverEvent } from '../common/contract/channels.ts';
import { type Code, errorCodes, SolyxError } from '../common/errors/index.ts';
import { findServer } from './connect.ts';

export interface JobChannel extends ChannelSocket {
  /** What the server said, but errors: those reject `ended`. */
  onEvent(listener: (event: ServerEvent) => void): void;
  /** The channel is over: all was said. @throws SolyxError why it ended before */
  readonly ended: Promise<void>;
}

const handshakeMs = 30_000;

/**
 * Opens a channel and sends its first frame.
 * @param path with `:id`, of `contract/channels.ts`
 * @throws SolyxError such as not_found, forbidden, server_unreachable
 */
export async function openJobChannel(path: string, jobId: string, start: object): Promise<JobChannel> {
  const { url, apiKey } = await findServer();
  const target = `${url.replace(/^http/, 'ws')}${path.replace(':id', encodeURIComponent(jobId))}`;
  const socket = new WebSocket(target, clientSubprotocol, {
    headers: { authorization: `Bearer ${apiKey}` },
    maxPayload: mostFrameBytes,
    handshakeTimeout: handshakeMs,
    perMessageDeflate: false,
  });
  await new Promise<void>((resolve, reject) => {
    socket.once('open', resolve);
    socket.once('unexpected-response', (_request: unknown, response: IncomingMessage) => {
      reject(refusal(response));
      socket.terminate();
    });
    socket.once('error', (error) => {
      reject(
        new SolyxError('server_unreachable', {
          detail: `${url} (${(error as NodeJS.ErrnoException).code ?? error.message})`,
          cause: error,
        }),
      );
    });
  });
  const listeners: ((event: ServerEvent) => void)[] = [];
  const over = Promise.withResolvers<void>();
  over.promise.catch(() => undefined);
  let failure: SolyxError | undefined;
  const channel = overSocket(socket, {
    mostStreams: mostChannelStreams + 8,
    onControl: (message) => {
      const event = serverEvent.safeParse(message).data;
      if (event?.type === 'error') failure ??= new SolyxError(codeOf(event.code), event.detail);
      else if (event !== undefined) for (const listener of listeners) listener(event);
    },
    onClosed: (code) => {
      if (failure !== undefined) over.reject(failure);
      else if (code === 1000) over.resolve();
      else over.reject(new SolyxError(code === accessLost ? 'key_revoked' : 'channel_lost'));
    },
  });
  channel.mux.control({ type: 'start', ...start });
  return { ...channel, onEvent: (listener) => void listeners.push(listener), ended: over.promise };
}

/** Closed by the server's watch over rights. */
const accessLost = 4401;

const codeOf = (code: string): Code => (Object.hasOwn(errorCodes, code) ? (code as Code) : 'channel_lost');

/** An upgrade is refused with the code as its reason. */
function refusal(response: IncomingMessage): SolyxError {
  const { statusCode = 0, statusMessage = '' } = response;
  if (Object.hasOwn(errorCodes, statusMessage)) return new SolyxError(statusMessage as Code);
  if (statusCode === 401) return new SolyxError('unauthenticated');
  if (statusCode === 404) return new SolyxError('route_not_found', 'The server is older than this command.');
  return new SolyxError('server_unreachable', `The server answered ${statusCode} ${statusMessage}.`);
}
