/** Exec: a command in the job, its streams joined with the client's. */
import type { Readable, Writable } from 'node:stream';
import { finished } from 'node:stream/promises';
import {
  type ChannelRequest,
  channelStreams,
  type ExecControl,
  execControl,
} from '../../../common/contract/agent/channels.ts';
import { SolyxError } from '../../../common/errors/index.ts';
import type { AgentChannel } from './channel.ts';
import { startEntered } from './entered.ts';

type ExecRequest = Extract<ChannelRequest, { kind: 'exec' }>;

/** What a program that goes on in the background may still say once the command has ended, ms without a byte. */
const quietMs = 200;

/** Runs a command to its end. @throws SolyxError when it cannot be started */
export async function runExec(channel: AgentChannel, dir: string, request: ExecRequest): Promise<void> {
  const { terminal, command } = request;
  const entered = await startEntered(dir, {
    channelId: channel.id,
    command,
    input: request.stdin,
    terminal,
    ...(terminal !== null && { env: { TERM: terminal.type } }),
  });
  channel.onEnd(() => entered.end());
  channel.onControl((message) => obey(execControl.safeParse(message).data, entered));
  const output = channel.mux.stream(channelStreams.stdout);
  const drained = [drain(entered.output, output, entered.exited)];
  if (entered.errors) drained.push(drain(entered.errors, channel.mux.stream(channelStreams.stderr), entered.exited));
  if (entered.input) {
    const input = channel.mux.stream(channelStreams.stdin);
    // A command that reads no more is no reason to end; what is sent to it then is taken and forgotten.
    input.pipe(entered.input);
    entered.input.once('error', () => input.resume());
    // The end of input, as a terminal says it.
    if (terminal) input.once('end', () => entered.input?.write('\x04'));
  }
  entered.ready.then(
    () => channel.say({ type: 'ready' }),
    () => undefined,
  );
  const { code, signal, failure } = await entered.exited;
  await Promise.all(drained);
  if (failure !== null) throw new SolyxError('exec_failed', failure.slice(0, 1000));
  channel.say({ type: 'exit', code, signal });
}

function obey(control: ExecControl | undefined, entered: Awaited<ReturnType<typeof startEntered>>): void {
  if (control?.type === 'resize') entered.resize(control);
  if (control?.type === 'signal') entered.signal(`SIG${control.name}`);
}

/**
 * Moves everything that the command says to the client; resolves when all of it was sent.
 *
 * Something that the command left in the background may hold the pipe open for as long as the job runs. So when the command has ended and
 * nothing has come for a moment in which the client could have taken it, that is the end.
 */
async function drain(from: Readable, to: Writable, exited: Promise<unknown>): Promise<void> {
  let lastMs = performance.now();
  from.on('data', () => {
    lastMs = performance.now();
  });
  from.pipe(to, { end: false });
  const over = new Promise<void>((resolve) => {
    for (const event of ['end', 'close', 'error']) from.once(event, () => resolve());
  });
  void exited.then(() => {
    lastMs = performance.now();
    const timer = setInterval(() => {
      if (from.destroyed || to.destroyed) clearInterval(timer);
      if (to.writableNeedDrain) lastMs = performance.now();
      else if (performance.now() - lastMs > quietMs) from.destroy();
    }, quietMs / 4);
  });
  await Promise.race([over, new Promise((resolve) => to.once('close', resolve))]);
  if (to.destroyed) return;
  to.end();
  await finished(to, { readable: false }).catch(() => undefined);
}
