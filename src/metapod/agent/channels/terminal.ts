/**
 * Terminals by the optional package @lydell/node-pty, of which only the pair of devices is used: the command is started by ourselves, as
 * without a terminal, so that descriptors, signals and exit codes are the same in both cases.
 */
import type { ReadStream } from 'node:tty';
import type { TerminalSize } from '../../../common/contract/agent/channels.ts';
import { SolyxError } from '../../../common/errors/index.ts';

export interface Terminal {
  /** Our side. */
  readonly master: ReadStream;
  /** The command's side: its descriptors 0, 1 and 2. To be destroyed once it was started. */
  readonly slave: ReadStream;
  resize(size: TerminalSize): void;
}

/** What of the package is used; its types leave `open` out. */
interface PtyPackage {
  open(options: { cols: number; rows: number; encoding: null }): {
    readonly master: ReadStream;
    readonly slave: ReadStream;
    resize(columns: number, rows: number): void;
  };
}

/** @throws terminal_unavailable where the package is not installed or the machine has no terminals left */
export async function openTerminal({ columns, rows }: TerminalSize): Promise<Terminal> {
  let made: ReturnType<PtyPackage['open']>;
  try {
    const { default: pty } = (await import('@lydell/node-pty')) as unknown as { default: PtyPackage };
    made = pty.open({ cols: columns, rows, encoding: null });
  } catch (error) {
    throw new SolyxError('terminal_unavailable', { detail: (error as Error).message.split('\n')[0], cause: error });
  }
  const { master, slave } = made;
  // It begins to read both sides at once; the command's input is not ours to take.
  slave.pause();
  master.pause();
  // The last process let go of it: the end, as reading a terminal says it.
  master.on('error', () => master.destroy());
  slave.on('error', () => slave.destroy());
  return { master, slave, resize: (size) => made.resize(size.columns, size.rows) };
}
