/**
 * Named pipes between us and a program that we start. Node's own pipes are sockets, and a program that opens /dev/stdin or /dev/stderr
 * gets an error from a socket.
 */
import { spawnSync } from 'node:child_process';
import { chownSync, closeSync, constants, openSync, rmSync } from 'node:fs';
import { Socket } from 'node:net';
import { TRUSTED_ENVIRONMENT } from './isolation/environment.ts';

export interface Pipe {
  /** Our end. */
  readonly ours: Socket;
  /** Descriptor of the program's end; to be closed once it was started. */
  readonly theirs: number;
  /**
   * Lets a program go on that opens its input by name (/dev/stdin) after all of it was sent: a named pipe makes it wait for
   * somebody who writes, where any other would tell it the end.
   */
  readonly wakeOpeners?: () => void;
  /** Gives up what `wakeOpeners` needs. */
  readonly release?: () => void;
}

/**
 * Makes pipes; their names are gone when this returns.
 * @param wanted by path; `out`: the program writes, `in`: it reads
 * @param ownerUid who may open them by /proc/self/fd; null: we
 * @throws Error when they cannot be made
 */
export function makePipes(
  wanted: readonly { path: string; direction: 'in' | 'out' }[],
  ownerUid: number | null,
): Pipe[] {
  for (const { path } of wanted) rmSync(path, { force: true });
  const made = spawnSync('mkfifo', ['-m', '600', ...wanted.map(({ path }) => path)], { env: TRUSTED_ENVIRONMENT });
  if (made.status !== 0) throw new Error(`cannot make pipes: ${made.stderr ?? made.error?.message}`);
  return wanted.map(({ path, direction }) => {
    const read = openSync(path, constants.O_RDONLY | constants.O_NONBLOCK);
    const write = openSync(path, direction === 'in' ? constants.O_WRONLY | constants.O_NONBLOCK : constants.O_WRONLY);
    // Its own reading end must block, or it would see "try again" where it expects to wait.
    const theirs = direction === 'out' ? write : openSync(path, constants.O_RDONLY);
    const name = direction === 'in' ? openSync(path, pathOnly) : undefined;
    if (direction === 'in') closeSync(read);
    if (ownerUid !== null) chownSync(path, ownerUid, ownerUid);
    rmSync(path, { force: true });
    const isOut = direction === 'out';
    const ours = new Socket({ fd: isOut ? read : write, readable: isOut, writable: !isOut });
    if (name === undefined) return { ours, theirs };
    return { ours, theirs, ...namedInput(ours, name) };
  });
}

/** What a job writes to: its standard output and its standard error. */
export interface OutputPipes {
  readonly out: Pipe;
  readonly err: Pipe;
}

/**
 * Makes a job's pipes before it is known whose job it is: `startJob` gives them to it.
 * @param prefix path that their names begin with while they have some
 */
export function makeOutputPipes(prefix: string): OutputPipes {
  const path = (name: string) => ({ path: `${prefix}${name}.pipe`, direction: 'out' as const });
  const [out, err] = makePipes([path('out'), path('err')], null);
  return { out: out!, err: err! };
}

/** O_PATH of open(2), which Node does not name: a descriptor that is neither for reading nor for writing. */
const pathOnly = 0o10000000;

/** @param name descriptor by which the pipe can be opened again; closed by `release` */
function namedInput(ours: Socket, name: number): Pick<Pipe, 'wakeOpeners' | 'release'> {
  let open = true;
  return {
    wakeOpeners() {
      if (!open || !ours.destroyed) return;
      try {
        closeSync(openSync(`/proc/self/fd/${name}`, constants.O_WRONLY | constants.O_NONBLOCK));
      } catch {
        // Nobody reads it any more.
      }
    },
    release() {
      if (open) closeSync(name);
      open = false;
    },
  };
}

export function closeTheirs(pipes: readonly Pipe[]): void {
  for (const { theirs } of pipes) closeSync(theirs);
}
