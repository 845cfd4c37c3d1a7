/** `solyx backup`: everything that Solyx knows in one file, also while it works. */
import { statSync } from 'node:fs';
import { join, resolve } from 'node:path';
import type { Command } from 'commander';
import { solyxHome } from '../../common/config/home.ts';
import { SolyxError } from '../../common/errors/index.ts';
import { release } from '../../common/release.ts';
import { note, printJson } from '../output.ts';

interface BackupCommandOptions {
  blobs: boolean;
  config?: string;
  json?: boolean;
}

export function backupCommand(program: Command): void {
  program
    .command('backup')
    .description('write jobs, fleet, access, usage and files into one backup, also while Solyx runs (on its machine)')
    .argument('<file>', 'where to write it; must not exist yet')
    .option('--no-blobs', 'leave out bundles, checkpoints and artefacts')
    .option('--config <file>', 'read this file instead of solyx.yaml in the data directory')
    .option('--json', 'print JSON: what was written')
    .action(run);
}

async function run(file: string, options: BackupCommandOptions): Promise<void> {
  const path = resolve(file);
  const there = statSync(path, { throwIfNoEntry: false });
  if (there?.isDirectory()) {
    throw new SolyxError(
      'file_unwritable',
      `${path} is a folder; name a file in it, like ${join(path, 'solyx.backup')}.`,
    );
  }
  if (there !== undefined) throw new SolyxError('already_exists', `${path} exists; a backup replaces no file.`);
  const [{ backup }, { openDirectoryStore }, { loadConfig }, { deriveLogins }, { reachDatabase }] = await Promise.all([
    import('../../common/backup/index.ts'),
    import('../../common/blobs/index.ts'),
    import('../../common/config/index.ts'),
    import('../../common/database/index.ts'),
    import('../local-database.ts'),
  ]);
  const home = solyxHome();
  const config = loadConfig({ file: options.config });
  const database = await reachDatabase(home, config.database.url);
  try {
    const counts = await backup({
      login: deriveLogins(database.admin, database.database).system,
      path,
      release,
      now: new Date(),
      blobs: options.blobs ? await openDirectoryStore(join(home, 'blobs')) : undefined,
    });
    if (options.json) printJson({ file: path, ...counts });
    else {
      note(
        `${path}: ${counts.rows} rows of ${counts.tables} tables, ${counts.blobs} files (${counts.blobBytes} bytes).`,
      );
      if (counts.blobsMissing > 0) note(`${counts.blobsMissing} files were not in the store and are left out.`);
      note('It holds no secret in clear; keep the key file of the secret store elsewhere.');
    }
  } finally {
    await database.release();
  }
}
