/** `solyx cp`: copies files and folders out of running jobs and into them. */
import type { Command } from 'commander';
import { formatBytes } from '../../common/units.ts';
import { whole } from '../arguments.ts';
import { download } from '../copy/download.ts';
import { upload } from '../copy/upload.ts';
import { exitCodes } from '../exit-codes.ts';
import { note, printable, printJson } from '../output.ts';

interface CpFlags {
  rank?: number;
  json?: boolean;
}

/** What was copied. */
export interface Copied {
  readonly path: string;
  readonly files: number;
  readonly bytes: number;
  /** What could not be taken along, with why. */
  readonly leftOut: readonly string[];
}

export function cpCommand(program: Command): void {
  program
    .command('cp')
    .description('copy a file or folder out of a running job, or into it')
    .argument('<source>', 'path here, or job_…:PATH')
    .argument('<target>', 'path here, or job_…:PATH; relative paths of a job begin at its working directory')
    .option('--rank <n>', 'this rank of a gang', whole(0, 4096))
    .option('--json', 'print JSON')
    .action(copy);
}

async function copy(source: string, target: string, { rank, json }: CpFlags, command: Command): Promise<void> {
  const from = inJob(source);
  const to = inJob(target);
  if ((from === undefined) === (to === undefined)) {
    command.error('error: one of source and target must be in a job, like job_…:results, and the other here');
  }
  const copied = from ? await download({ ...from, rank }, target) : await upload(source, { ...to!, rank });
  for (const text of copied.leftOut.slice(0, 20)) note(`left out: ${printable(text)}`);
  if (copied.leftOut.length > 20) note(`… and ${copied.leftOut.length - 20} more`);
  if (json) printJson(copied);
  else note(`${copied.files} file(s), ${formatBytes(copied.bytes)}, to ${printable(copied.path)}`);
  if (copied.leftOut.length > 0) process.exitCode = exitCodes.failed.code;
}

/** `job_…:PATH` taken apart; undefined for a path of this machine. */
function inJob(text: string): { jobId: string; path: string } | undefined {
  const match = /^(job_[0-9a-z]{26}):([\s\S]*)$/.exec(text);
  if (match === null) return undefined;
  return { jobId: match[1]!, path: match[2] || '.' };
}
