/**
 * Structured logs by pino, on stderr so that a command's stdout stays data. Fields whose names smell of secrets are
 * redacted before anything is written.
 */
import { type Logger, pino } from 'pino';

export type { Logger };

const secretPaths = ['apiKey', 'token', 'password', 'secret', 'authorization', 'databaseUrl'];

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
    pino.destination({ dest: options.destination ?? 2, sync: true }),
  );
}

/** A logger that writes nothing, for tests. */
export const silentLogger: Logger = pino({ level: 'silent' });
