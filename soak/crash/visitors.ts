/** People who look into running jobs: each opens a channel and runs a command there, and leaves when it ends or is cut off. */
import { WebSocket } from 'ws';
import { encodeJson, frameTypes } from '../../src/common/channels/index.ts';
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
  const start: ExecStart = { type: 'start', command: ['sh', '-c', 'echo here; sleep 0.5'] };
  socket.once('open', () => socket.send(encodeJson(frameTypes.control, 0, start)));
  return new Promise((done) => {
    const timer = setTimeout(() => socket.terminate(), patienceMs);
    socket.once('error', () => undefined);
    socket.once('close', (code) => {
      clearTimeout(timer);
      done(code === 1000);
    });
  });
}
