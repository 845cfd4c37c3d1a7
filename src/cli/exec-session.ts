/**
 * A command in a running job, joined with this terminal: keys, window size and Ctrl-C go in, output and the exit code come out.
 *
 * With a terminal every key goes to the job, Ctrl-C too. Without one, Ctrl-C here is sent as a signal, and a second one leaves.
 */
import { constants } from 'node:os';
import { finished } from 'node:stream/promises';
import { channelStreams } from '../common/contract/agent/channels.ts';
import { type ExecStart, execPath, type ServerEvent } from '../common/contract/channels.ts';
import { SolyxError } from '../common/errors/index.ts';
import { type JobChannel, openJobChannel } from './channel.ts';
import { reportError } from './errors.ts';
import { exitCodes } from './exit-codes.ts';

export interface ExecOptions {
  readonly jobId: string;
  readonly command: readonly string[];
  readonly rank?: number | undefined;
  /** Send our input. */
  readonly input: boolean;
  /** A terminal; our own must be one. */
  readonly terminal: boolean;
}

type Exit = Extract<ServerEvent, { type: 'exit' }>;

/**
 * Runs the command to its end.
 * @returns the exit code for this process: the command's, 128 and its signal, or 255 when the connection was lost
 * @throws SolyxError when it could not be started
 */
export async function runExec(options: ExecOptions): Promise<number> {
  const { jobId, command, rank, input, terminal } = options;
  const start: Omit<ExecStart, 'type'> = {
    command: [...command],
    stdin: input,
    terminal: terminal ? { ...windowSize(), type: process.env.TERM || 'xterm-256color' } : null,
    ...(rank !== undefined && { rank }),
  };
  const channel = await openJobChannel(execPath, jobId, start);
  let exit: Exit | undefined;
  let isRunning = false;
  channel.onEvent((event) => {
    if (event.type === 'ready') isRunning = true;
    if (event.type === 'exit') exit = event;
  });
  const outputs = [
    drain(channel, channelStreams.stdout, process.stdout),
    ...(terminal ? [] : [drain(channel, channelStreams.stderr, process.stderr)]),
  ];
  const release = joinInput(channel, options);
  try {
    await channel.ended;
    await Promise.all(outputs);
  } catch (error) {
    if (!isRunning && exit === undefined) throw error;
    release();
    reportError(error, false);
    return exitCodes.sessionLost.code;
  } finally {
    release();
  }
  if (exit === undefined) throw new SolyxError('channel_lost');
  if (exit.signal === null) return exit.code ?? exitCodes.sessionLost.code;
  return 128 + (constants.signals[exit.signal as NodeJS.Signals] ?? 0);
}

/** @returns resolves when everything was written */
async function drain(channel: JobChannel, id: number, to: NodeJS.WriteStream): Promise<void> {
  const stream = channel.mux.stream(id);
  stream.pipe(to, { end: false });
  await finished(stream, { writable: false }).catch(() => undefined);
}

/** Joins keys, window and signals. @returns what gives them back */
function joinInput(channel: JobChannel, { input, terminal }: ExecOptions): () => void {
  const undo: (() => void)[] = [];
  if (terminal) {
    process.stdin.setRawMode(true);
    undo.push(() => process.stdin.setRawMode(false));
    const onResize = () => channel.mux.control({ type: 'resize', ...windowSize() });
    process.stdout.on('resize', onResize);
    undo.push(() => process.stdout.off('resize', onResize));
  } else undo.push(...sendSignals(channel));
  if (input) {
    process.stdin.pipe(channel.mux.stream(channelStreams.stdin));
    undo.push(() => {
      process.stdin.unpipe();
      // A pipe that is never closed would keep us waiting.
      process.stdin.destroy();
    });
  }
  return () => {
    for (const step of undo.splice(0)) step();
  };
}

function sendSignals(channel: JobChannel): (() => void)[] {
  let interrupts = 0;
  return (['INT', 'TERM', 'HUP', 'QUIT'] as const).map((name) => {
    const onSignal = () => {
      interrupts += 1;
      if (interrupts > 1) process.exit(exitCodes.interrupted.code);
      channel.mux.control({ type: 'signal', name });
    };
    process.on(`SIG${name}`, onSignal);
    return () => process.off(`SIG${name}`, onSignal);
  });
}

/** Size of our window, for a terminal that has one. */
const windowSize = () => ({ columns: process.stdout.columns || 80, rows: process.stdout.rows || 24 });
