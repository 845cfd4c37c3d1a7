/** Port-forward: each stream that the client opens becomes a connection to a port of the job's own loopback. */
import type { Socket } from 'node:net';
import type { ChannelStream } from '../../../common/channels/index.ts';
import { forwardOpen } from '../../../common/contract/agent/channels.ts';
import type { AgentChannel } from './channel.ts';
import { connectHere } from './connect-here.ts';
import { JobConnector } from './connector-process.ts';
import { readJob } from './entered.ts';

/** Serves connections until the channel ends. @throws SolyxError when the job does not run */
export async function runForward(channel: AgentChannel, dir: string, nodeBinary: string): Promise<void> {
  const { launch, status } = readJob(dir);
  // A job on the host's network shares the agent's loopback; any other has one of its own, into which somebody has to go.
  const connector = launch.network === 'host' ? undefined : new JobConnector(status, nodeBinary);
  channel.onEnd(() => connector?.stop());
  const reach = connector === undefined ? connectHere : (port: number) => connector.connect(port);
  channel.onOpen((stream, request) => {
    const asked = forwardOpen.safeParse(request);
    if (!asked.success) return void stream.destroy();
    // What the client sends meanwhile waits in the stream.
    reach(asked.data.port).then(
      (socket) => joinHalves(stream, socket),
      () => stream.destroy(),
    );
  });
  channel.say({ type: 'ready' });
  await new Promise<void>((resolve) => channel.onEnd(resolve));
}

/** Joins both directions; the end of one leaves the other open, an error ends both. */
function joinHalves(stream: ChannelStream, socket: Socket): void {
  if (stream.destroyed) return void socket.destroy();
  socket.allowHalfOpen = true;
  socket.setNoDelay(true);
  stream.pipe(socket);
  socket.pipe(stream);
  socket.on('error', () => stream.destroy());
  stream.on('error', () => socket.resetAndDestroy());
  stream.on('close', () => {
    if (!socket.destroyed && !stream.writableFinished) socket.resetAndDestroy();
  });
}
