/** People who look into running jobs: each opens a channel and runs a command there, and leaves when it ends or is cut off. */
import { WebSocket } from 'ws';
import { overSocket } from '../../src/common/channels/index.ts';
import { channelStreams } from '../../src/common/contract/agent/channels.ts';
import { clientSubprotocol, type ExecStart, execPath } from '../../src/common/contract/channels.ts';

const patienceMs = 15_000;

/**
 * Runs a command in a job.
 * @returns whether the channel was open to its end; never throws
 */
export function visit(url: string, apiKey: string, jobId: string): Promise<boolean> {
  const target = `${url.replace(/^http/, 'ws')}${execPath.replace(':id', jobId)}`;
  const socket = new WebSocket(target, clientSubprotocol, {
    headers: { authorization: `Bearer ${apiKey}` },
    handshakeTimeout: patienceMs,
  });
  return new Promise((done) => {
    const timer = setTimeout(() => socket.terminate(), patienceMs);
    socket.once('error', () => undefined);
    socket.once('close', (code) => {
      clearTimeout(timer);
      done(code === 1000);
    });
    socket.once('open', () => {
      const { mux } = overSocket(socket, { onControl: () => undefined, onClosed: () => undefined });
      mux.control({ type: 'start', command: ['sh', '-c', 'echo here; sleep 0.5'] } satisfies ExecStart);
      for (const id of [channelStreams.stdout, channelStreams.stderr])
        mux
          .stream(id)
          .on('error', () => undefined)
          .resume();
    });
  });
}
