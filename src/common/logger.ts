/**
 * Structured logs by pino, on stderr so that a command's stdout stays data. Fields whose names smell of secrets are
 * redacted before anything is written.
 *
 * Pino's own destination throws when it cannot write, and a server must not end because its disk is full or its terminal
 * went away: such lines are dropped, and the next one that is written says how many.
 */
import { openSync, writeSync } from 'node:fs';
import { type DestinationStream, type Logger, pino } from 'pino';

export type { Logger };

const secretPaths = ['apiKey', 'token', 'password', 'secret', 'authorization', 'databaseUrl'];

/** How often a write is tried again while the reader of a pipe is slow. */
const pipePatience = 100;

/** A file descriptor, or a file that is appended to and made readable for its owner alone. */
function openDestination(destination: number | string): DestinationStream {
  const file = typeof destination === 'number' ? destination : openSync(destination, 'a', 0o600);
  let dropped = 0;
  const write = (text: string): void => {
    let rest = Buffer.from(text);
    for (let tries = 0; rest.length > 0; ) {
      try {
        rest = rest.subarray(writeSync(file, rest));
      } catch (error) {
        if ((error as NodeJS.ErrnoException).code !== 'EAGAIN' || ++tries > pipePatience) throw error;
        Atomics.wait(new Int32Array(new SharedArrayBuffer(4)), 0, 0, 1);
      }
    }
  };
  return {
    write(line) {
      try {
        if (dropped > 0)
          write(
            `${JSON.stringify({ level: 40, time: new Date().toISOString(), dropped, msg: 'log lines could not be written' })}\n`,
          );
        dropped = 0;
        write(line);
      } catch {
        dropped += 1;
      }
    },
  };
}

/** Makes the root logger of a process. `level` is pino's: trace, debug, info, warn, error, silent. */
export function createLogger(options: { level: string; name: string; destination?: number | string }): Logger {
  return pino(
    {
      name: options.name,
      level: options.level,
      timestamp: pino.stdTimeFunctions.isoTime,
      redact: {
        paths: secretPaths.flatMap((path) => [path, `*.${path}`, `req.headers.${path}`]),
        censor: '[redacted]',
      },
    },
    openDestination(options.destination ?? 2),
  );
}

/** A logger that writes nothing, for tests. */
export const silentLogger: Logger = pino({ level: 'silent' });
