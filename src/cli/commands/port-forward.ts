/** `solyx port-forward`: ports of this machine's loopback that lead to ports of a running job. */

import type { AddressInfo } from 'node:net';
import { createServer, type Server, type Socket } from 'node:net';
import { type Command, InvalidArgumentError } from 'commander';
import { forwardPath } from '../../common/contract/channels.ts';
import { SolyxError } from '../../common/errors/index.ts';
import { whole } from '../arguments.ts';
import { type JobChannel, openJobChannel } from '../channel.ts';
import { exitCodes } from '../exit-codes.ts';
import { note, print } from '../output.ts';

interface Mapping {
  readonly local: number;
  readonly remote: number;
}

export function portForwardCommand(program: Command): void {
  program
    .command('port-forward')
    .description('listen on 127.0.0.1 and lead connections to ports of a running job, until Ctrl-C')
    .argument('<id>', 'id of the job')
    .argument('<ports...>', 'LOCAL:REMOTE, or one number for both; local 0 takes a free one', addMapping)
    .option('--rank <n>', 'this rank of a gang', whole(0, 4096))
    .action(async (jobId: string, ports: Mapping[], { rank }: { rank?: number }) => forward(jobId, ports, rank));
}

function addMapping(text: string, mappings: Mapping[] = []): Mapping[] {
  const match = /^(?:(\d{1,5}):)?(\d{1,5})$/.exec(text);
  const remote = Number(match?.[2]);
  const local = match?.[1] === undefined ? remote : Number(match[1]);
  if (match === null || remote < 1 || remote > 65_535 || local > 65_535) {
    throw new InvalidArgumentError('Expected LOCAL:REMOTE like 8888:80, or a port like 8888.');
  }
  return [...mappings, { local, remote }];
}

async function forward(jobId: string, mappings: readonly Mapping[], rank: number | undefined): Promise<void> {
  const channel = await openJobChannel(forwardPath, jobId, rank === undefined ? {} : { rank });
  const isReady = new Promise<void>((resolve) => channel.onEvent((event) => event.type === 'ready' && resolve()));
  await Promise.race([isReady, channel.ended]);
  const servers: Server[] = [];
  const onSignal = () => {
    process.exitCode = exitCodes.ok.code;
    channel.close(1000, 'done');
  };
  try {
    for (const mapping of mappings) {
      const server = await listen(channel, mapping);
      servers.push(server);
      print(`127.0.0.1:${(server.address() as AddressInfo).port} -> ${mapping.remote}`);
    }
    for (const signal of ['SIGINT', 'SIGTERM', 'SIGHUP'] as const) process.once(signal, onSignal);
    await channel.ended;
  } finally {
    for (const server of servers) server.close();
    channel.close(1000, 'done');
  }
}

/** Only ever on loopback: whoever reaches the port reaches the job. */
function listen(channel: JobChannel, { local, remote }: Mapping): Promise<Server> {
  const server = createServer({ allowHalfOpen: true, noDelay: true }, (socket) => join(channel, socket, remote));
  return new Promise((resolve, reject) => {
    server.once('error', (error: NodeJS.ErrnoException) => {
      const why = error.code === 'EACCES' ? 'This user may not listen' : 'Something listens already';
      reject(new SolyxError('port_in_use', { detail: `${why} on 127.0.0.1:${local}.`, cause: error }));
    });
    server.listen({ host: '127.0.0.1', port: local }, () => resolve(server));
  });
}

function join(channel: JobChannel, socket: Socket, port: number): void {
  let stream: ReturnType<JobChannel['mux']['open']>;
  try {
    stream = channel.mux.open({ port });
  } catch (error) {
    note(`connection refused: ${(error as Error).message}`);
    socket.resetAndDestroy();
    return;
  }
  let answered = false;
  stream.once('data', () => {
    answered = true;
  });
  stream.pipe(socket);
  socket.pipe(stream);
  socket.on('error', () => stream.destroy());
  stream.on('error', () => {
    if (!answered) note(`port ${port} of the job did not take the connection`);
    socket.resetAndDestroy();
  });
  stream.on('close', () => {
    if (!socket.destroyed && !stream.readableEnded) socket.resetAndDestroy();
  });
}
