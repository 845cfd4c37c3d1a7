/** Tells whoever starts a server what became of a data directory that was open to others. */
import type { HomeMode } from '../common/config/index.ts';
import type { Logger } from '../common/logger.ts';
import { note } from './output.ts';

/** A line on the terminal and one in the log; nothing for a directory that was private. */
export function noteHomeMode(home: string, mode: HomeMode, logger: Logger): void {
  if (mode.kind === 'private') return;
  if (mode.kind === 'closed') {
    note(`${home} was open to others (mode ${mode.before}); it is now this user's alone (700).`);
    logger.info({ home, before: mode.before }, 'the data directory was closed to others');
    return;
  }
  note(`Warning: ${home} is open to others (mode ${mode.mode}). ${mode.why} Set SOLYX_HOME to a folder of its own.`);
  logger.warn({ home, mode: mode.mode, why: mode.why }, 'the data directory is open to others');
}
