/**
 * What an error of the driver means for the caller: try again, the server is away, or neither.
 *
 * Only what is certain is retried. SQLSTATEs are PostgreSQL's (appendix A of its manual); errors without one come from the socket.
 */
import pg from 'pg';
import { SolyxError } from '../errors/index.ts';

export type Failure = 'conflict' | 'connection' | 'busy' | 'other';

const conflicts = new Set(['40001', '40P01']);
/** The server is shutting down, starting, or has ended this session. */
const sessionEnded = new Set(['57P01', '57P02', '57P03', '57P05', '25P03', '53300']);
const socketErrors = new Set(['ECONNREFUSED', 'ECONNRESET', 'ENOENT', 'EPIPE', 'ETIMEDOUT', 'EAI_AGAIN', 'ENOTFOUND']);
const driverMessages = /^Connection terminated|not queryable|^Query read timeout|^timeout expired/;

/** Sorts an error that came from the driver; never pass it errors of other origin (a missing file is also ENOENT). */
export function classify(error: unknown): Failure {
  if (error instanceof pg.DatabaseError) {
    const code = error.code ?? '';
    if (conflicts.has(code)) return 'conflict';
    if (sessionEnded.has(code) || code.startsWith('08')) return 'connection';
    return 'other';
  }
  if (!(error instanceof Error)) return 'other';
  if (error.message.startsWith('timeout exceeded when trying to connect')) return 'busy';
  const code = (error as NodeJS.ErrnoException).code ?? '';
  return socketErrors.has(code) || driverMessages.test(error.message) ? 'connection' : 'other';
}

/** The error to show for one of the driver; anything without a meaning of its own is passed on as it is. */
export function toSolyxError(error: unknown, detail?: string): unknown {
  if (error instanceof SolyxError) return error;
  const failure = classify(error);
  if (failure === 'connection' || failure === 'busy' || failure === 'conflict') {
    return new SolyxError('database_unavailable', {
      detail: detail ?? (error as Error).message,
      cause: error,
      retryAfterSeconds: 1,
    });
  }
  if (error instanceof pg.DatabaseError) {
    if (error.code === '53100') return new SolyxError('disk_full', { detail: error.message, cause: error });
    if (error.code === '57014') return new SolyxError('database_timeout', { detail: error.message, cause: error });
  }
  return error;
}
