/**
 * A process that starts the embedded database of the home in argv[2], says so on stdout, and stays; for tests that kill it.
 * With argv[3] = `leave` it ends by itself and leaves the server running.
 */
import { startEmbeddedDatabase } from '../../src/common/database/index.ts';
import { SolyxError } from '../../src/common/errors/index.ts';
import { silentLogger } from '../../src/common/logger.ts';

try {
  const database = await startEmbeddedDatabase({
    home: process.argv[2]!,
    logger: silentLogger,
    settings: { fsync: 'off' },
  });
  process.stdout.write(`${JSON.stringify({ pid: database.pid, adopted: database.adopted })}\n`);
  if (process.argv[3] === 'leave') database.leave();
  else process.stdin.resume();
} catch (error) {
  process.stdout.write(`${JSON.stringify({ code: error instanceof SolyxError ? error.code : String(error) })}\n`);
}
