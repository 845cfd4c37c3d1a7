/**
 * A channel over a WebSocket of `ws`: frames in and out, silence as death, and how it ended.
 *
 * A side that waits for a slow reader reads nothing itself, not even pongs, so silence only counts while we do read.
 */
import { WebSocket } from 'ws';
import { ChannelClosed, ChannelMux, type MuxOptions } from './mux.ts';

export interface ChannelSocketOptions extends Pick<MuxOptions, 'onControl' | 'onOpen' | 'mostStreams'> {
  /** The socket is gone, once. @param code of the WebSocket's end; 1006 without a word */
  readonly onClosed: (code: number, reason: string) => void;
  readonly pingMs?: number;
  /** A socket from which nothing came for so long is dead, ms; default 25,000. */
  readonly silenceMs?: number;
}

export interface ChannelSocket {
  readonly mux: ChannelMux;
  /** Says what is left to say and closes; a peer that does not answer is cut off. */
  close(code: number, reason: string): void;
}

export const channelPings = { pingMs: 10_000, silenceMs: 25_000 } as const;
const closeGraceMs = 2_000;

/** Puts a channel on an open socket. Messages that came before must not have been lost: call it in the same turn. */
export function overSocket(socket: WebSocket, options: ChannelSocketOptions): ChannelSocket {
  const mux = new ChannelMux({
    send: (frame) => {
      if (socket.readyState === WebSocket.OPEN) socket.send(frame);
    },
    onControl: options.onControl,
    ...(options.onOpen && { onOpen: options.onOpen }),
    ...(options.mostStreams !== undefined && { mostStreams: options.mostStreams }),
    onViolation: (why) => close(1002, why),
  });
  const stopWatching = watchSilence(socket, options);
  socket.on('message', (bytes: Buffer, isBinary) => {
    if (isBinary) mux.receive(bytes);
    else close(1003, 'frames are binary');
  });
  socket.on('error', () => socket.terminate());
  socket.once('close', (code, reason) => {
    stopWatching();
    mux.close(new ChannelClosed(reason.toString() || undefined));
    options.onClosed(code, reason.toString());
  });
  const close = (code: number, reason: string) => closeSocket(socket, code, reason);
  return { mux, close };
}

/** Closes a socket; a peer that does not answer within two seconds is cut off. */
export function closeSocket(socket: WebSocket, code: number, reason: string): void {
  if (socket.readyState === WebSocket.CONNECTING) {
    socket.terminate();
    return;
  }
  // A paused socket would never see the answer.
  if (socket.isPaused) socket.resume();
  socket.close(code, Buffer.from(reason).subarray(0, 120).toString('utf8'));
  const timer = setTimeout(() => socket.terminate(), closeGraceMs);
  timer.unref();
  socket.once('close', () => clearTimeout(timer));
}

/** Pings, and cuts a socket off that stays silent. @returns how to stop */
export function watchSilence(
  socket: WebSocket,
  { pingMs = channelPings.pingMs, silenceMs = channelPings.silenceMs }: { pingMs?: number; silenceMs?: number } = {},
): () => void {
  let heard = performance.now();
  const onHeard = () => {
    heard = performance.now();
  };
  for (const event of ['message', 'ping', 'pong'] as const) socket.on(event, onHeard);
  const timer = setInterval(() => {
    if (socket.isPaused) heard = performance.now();
    else if (performance.now() - heard > silenceMs) socket.terminate();
    else if (socket.readyState === WebSocket.OPEN) socket.ping();
  }, pingMs);
  timer.unref();
  return () => clearInterval(timer);
}
