/** Copying out of a job: the bytes of a file, or a tar of a folder. */
import { Transform } from 'node:stream';
import { finished, pipeline } from 'node:stream/promises';
import { type ChannelRequest, channelStreams } from '../../../common/contract/agent/channels.ts';
import { SolyxError } from '../../../common/errors/index.ts';
import type { AgentChannel } from './channel.ts';
import { downloadScript } from './copy-scripts.ts';
import { refusalOf, tailOf } from './copy-words.ts';
import { startEntered } from './entered.ts';

type DownloadRequest = Extract<ChannelRequest, { kind: 'download' }>;

/** @throws path_not_found, copy_refused, exec_failed, body_too_large */
export async function runDownload(channel: AgentChannel, dir: string, request: DownloadRequest): Promise<void> {
  const entered = await startEntered(dir, {
    channelId: channel.id,
    command: ['/bin/sh', '-c', downloadScript, 'sh', request.path],
    input: false,
    keepControl: true,
  });
  channel.onEnd(() => entered.end());
  const words = tailOf(entered.errors!);
  let refusal: SolyxError | undefined;
  let entry: 'file' | 'folder' = 'file';
  entered.onControl((line) => {
    const [, found, mode] = /^entry (file|folder) ?([0-7]{3})?$/.exec(line) ?? [];
    if (found === 'file' || found === 'folder') {
      entry = found;
      channel.say({ type: 'ready', entry, ...(mode !== undefined && { mode }) });
    } else refusal ??= refusalOf(line, request.path);
  });
  const target = channel.mux.stream(channelStreams.bytes);
  let bytes = 0;
  const count = new Transform({
    transform(chunk: Buffer, _encoding, done) {
      bytes += chunk.length;
      if (bytes <= request.mostBytes) return done(null, chunk);
      done(new SolyxError('body_too_large', `A copy has at most ${request.mostBytes} bytes.`));
    },
  });
  const sent = pipeline(entered.output, count, target, { end: false }).then(
    () => undefined,
    (error: Error) => {
      entered.end();
      return error;
    },
  );
  const { code, failure } = await entered.exited;
  const broken = await sent;
  if (refusal !== undefined) throw refusal;
  if (broken instanceof SolyxError) throw broken;
  // 1 says of GNU tar that files changed while they were read, which those of a running job do.
  if (failure !== null && code !== 0 && code !== 1) throw new SolyxError('exec_failed', failure);
  if (code !== 0 && !(code === 1 && /file changed as we read it/.test(words())))
    throw new SolyxError('copy_refused', words() || `It ended with ${code}.`);
  if (broken !== undefined) throw broken;
  target.end();
  // The last bytes may still wait for credit, and nothing is sent once the channel is closed.
  await finished(target, { readable: false });
  channel.say({ type: 'done', files: entry === 'file' ? 1 : 0, bytes, path: request.path });
}
