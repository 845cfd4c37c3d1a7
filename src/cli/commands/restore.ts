/**
 * `solyx restore`: the state of a backup, under a control plane that does not run.
 *
 * Nodes may have gone on since the backup was made. What the database knows as running is adopted when its node comes back.
 * A job that waited at the time may run by now as an attempt that the backup does not know, so it waits once more as
 * long as such an attempt could live without contact (contracts §3), unless the operator says that nothing runs.
 */
import { join } from 'node:path';
import type { Command } from 'commander';
import { solyxHome } from '../../common/config/home.ts';
import { note, printJson } from '../output.ts';

interface RestoreCommandOptions {
  replace?: boolean;
  nodesEmpty?: boolean;
  config?: string;
  json?: boolean;
}

export function restoreCommand(program: Command): void {
  program
    .command('restore')
    .description('make the database from a backup; the control plane must not run')
    .argument('<file>', 'a file that `solyx backup` wrote, by this release or an earlier one')
    .option('--replace', 'give up the database that is there')
    .option('--nodes-empty', 'no node runs anything since the backup: waiting jobs may start at once')
    .option('--config <file>', 'read this file instead of solyx.yaml in the data directory')
    .option('--json', 'print JSON: what was restored')
    .action(run);
}

async function run(file: string, options: RestoreCommandOptions): Promise<void> {
  const [{ restore }, { openDirectoryStore }, { loadConfig }, { reachDatabase, startDatabaseOf }, jobs, tracker, log] =
    await Promise.all([
      import('../../common/backup/index.ts'),
      import('../../common/blobs/index.ts'),
      import('../../common/config/index.ts'),
      import('../local-database.ts'),
      import('../../cmo/jobs/index.ts'),
      import('../../drm/tracker/index.ts'),
      import('../../common/logger.ts'),
    ]);
  const home = solyxHome();
  const { url } = loadConfig({ file: options.config }).database;
  const database = url === undefined ? await startDatabaseOf(home) : await reachDatabase(home, url);
  try {
    const restored = await restore({
      admin: database.admin,
      database: database.database,
      path: file,
      blobs: await openDirectoryStore(join(home, 'blobs')),
      replace: options.replace === true,
      logger: log.silentLogger,
      async settle(client) {
        await tracker.settleAfterRestore(client);
        if (!options.nodesEmpty) await jobs.holdBackAfterRestore(client);
      },
    });
    if (options.json) printJson(restored);
    else {
      const { header, rows, blobs } = restored;
      note(`Restored ${rows} rows and ${blobs} files of ${header.createdAt} (release ${header.release}).`);
      note('Start with `solyx up`. Nodes come back by themselves; running jobs go on.');
    }
  } finally {
    await database.release();
  }
}
