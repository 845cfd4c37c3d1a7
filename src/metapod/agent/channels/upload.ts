/** Copying into a job: gathered beside the target, looked through on the way, put in place at the end. */
import { join } from 'node:path';
import { type ChannelRequest, channelStreams } from '../../../common/contract/agent/channels.ts';
import { SolyxError } from '../../../common/errors/index.ts';
import { diskUsageBytes } from '../isolation/disk-usage.ts';
import { FILES } from '../supervisor/files.ts';
import type { AgentChannel } from './channel.ts';
import { uploadScript } from './copy-scripts.ts';
import { refusalOf, tailOf } from './copy-words.ts';
import { type Entered, readJob, startEntered } from './entered.ts';
import { roomIn } from './room-in.ts';
import { TarCheck } from './tar-check.ts';

type UploadRequest = Extract<ChannelRequest, { kind: 'upload' }>;

/** @throws path_not_found, already_exists, copy_refused, exec_failed */
export async function runUpload(channel: AgentChannel, dir: string, request: UploadRequest): Promise<void> {
  const limits = { mostBytes: await room(dir, request.mostBytes), mostFiles: request.mostFiles };
  const entered = await startEntered(dir, {
    channelId: channel.id,
    command: ['/bin/sh', '-c', uploadScript, 'sh', request.path, request.name, channel.id, request.entry, request.mode],
    input: true,
    keepControl: true,
    // So that it cleans up when we are killed.
    deathSignal: 'TERM',
  });
  channel.onEnd(() => entered.end());
  const words = tailOf(entered.errors!);
  entered.output.resume();
  const heard = new Words(entered, request.path);
  const check = async (): Promise<{ files: number; bytes: number }> => {
    await heard.wait('ready');
    channel.say({ type: 'ready' });
    const counts = await feed(channel, entered, request, limits);
    await heard.wait('taken');
    entered.control('commit');
    const path = await heard.wait('done');
    await entered.exited;
    channel.say({ type: 'done', ...counts, path });
    return counts;
  };
  try {
    await check();
  } catch (error) {
    entered.end();
    if (!(error instanceof CopyStopped)) throw error;
    const { failure } = await entered.exited;
    throw heard.refusal ?? new SolyxError('copy_refused', words() || failure || 'It ended before the end.');
  }
}

/** The program of the copy ended; what it said tells why. */
class CopyStopped extends Error {}

/** Waits for words of the script. */
class Words {
  refusal: SolyxError | undefined;
  readonly #said = new Map<string, string>();
  #notify: () => void = () => undefined;
  #over = false;

  constructor(entered: Entered, path: string) {
    entered.onControl((line) => {
      this.refusal ??= refusalOf(line, path);
      const [word = ''] = line.split(' ', 1);
      this.#said.set(word, line.slice(word.length + 1));
      this.#notify();
    });
    void entered.exited.then(() => {
      this.#over = true;
      this.#notify();
    });
  }

  /** @returns the text after the word @throws CopyStopped when it never comes */
  async wait(word: 'ready' | 'taken' | 'done'): Promise<string> {
    for (;;) {
      const text = this.#said.get(word);
      if (text !== undefined) return text;
      if (this.#over || this.refusal !== undefined) throw new CopyStopped();
      await new Promise<void>((resolve) => {
        this.#notify = resolve;
      });
    }
  }
}

/** Moves the client's bytes into the program, no faster than it takes them. @throws copy_refused, CopyStopped */
async function feed(
  channel: AgentChannel,
  { input, exited }: Entered,
  { entry }: UploadRequest,
  limits: { mostBytes: number; mostFiles: number },
): Promise<{ files: number; bytes: number }> {
  const tar = entry === 'folder' ? new TarCheck(limits) : undefined;
  const pipe = input!;
  let gone = false;
  void exited.then(() => {
    gone = true;
    pipe.destroy();
  });
  pipe.once('close', () => {
    gone = true;
  });
  let bytes = 0;
  for await (const chunk of channel.mux.stream(channelStreams.bytes)) {
    bytes += chunk.length;
    tar?.write(chunk);
    if (tar === undefined && bytes > limits.mostBytes) {
      throw new SolyxError('copy_refused', `The job has room for ${limits.mostBytes} bytes.`);
    }
    if (gone) throw new CopyStopped();
    if (!pipe.write(chunk)) await roomIn(pipe);
    if (gone) throw new CopyStopped();
  }
  tar?.end();
  pipe.end();
  return { files: tar?.files ?? 1, bytes: tar?.bytes ?? bytes };
}

/** What the job may still write before its disk limit ends it. */
async function room(dir: string, most: number): Promise<number> {
  const { launch } = readJob(dir);
  const { diskBytes } = launch.limits;
  const counted = [FILES.work, FILES.artifacts, FILES.metrics].map((name) => join(dir, name));
  if (launch.checkpoint !== null) counted.push(launch.checkpoint.dir);
  const used = await diskUsageBytes(counted, diskBytes);
  if (used >= diskBytes) throw new SolyxError('copy_refused', 'The job uses all of the disk that it asked for.');
  return Math.min(most, diskBytes - used);
}
