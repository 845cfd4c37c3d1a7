/** `solyx submit`: sends a job spec, uploads its working directory, and waits or follows when asked to. */
import { readFileSync } from 'node:fs';
import { readFile } from 'node:fs/promises';
import { dirname, resolve } from 'node:path';
import type { Command } from 'commander';
import colors from 'picocolors';
import { parseDocument } from 'yaml';
import type { CallAnswer, Client } from '../../common/contract/client.ts';
import type { JobSpecInput } from '../../common/contract/job-spec.ts';
import { SolyxError } from '../../common/errors/index.ts';
import { formatBytes } from '../../common/units.ts';
import { packFolder } from '../bundle.ts';
import { connect } from '../connect.ts';
import { note, print, printable, printJson } from '../output.ts';
import { describeState, exitCodeOf, followLog, interruptible, waitForEnd } from '../watch.ts';

interface SubmitOptions {
  wait?: boolean;
  follow?: boolean;
  dryRun?: boolean;
  json?: boolean;
  idempotencyKey?: string;
}

export function submitCommand(program: Command): void {
  program
    .command('submit')
    .description('submit a job (YAML or JSON; - reads standard input)')
    .argument('<spec>', 'file with the job spec')
    .option('--wait', 'wait until the job has ended; the exit code tells how')
    .option('--follow', 'show its log, and wait until it has ended')
    .option('--dry-run', 'check everything and say what would happen, submit nothing')
    .option('--idempotency-key <key>', 'submit at most once under this key')
    .option('--json', 'print JSON')
    .action(submit);
}

async function submit(file: string, options: SubmitOptions): Promise<void> {
  const spec = parseSpec(file);
  const client = connect();
  await uploadWorkingDirectory(client, spec, file === '-' ? process.cwd() : dirname(resolve(file)));
  const answer = await client.submitJob(
    { query: options.dryRun ? { dryRun: true } : {}, body: spec as JobSpecInput },
    { idempotencyKey: options.idempotencyKey },
  );
  const { id } = answer;
  if (id === null) {
    if (options.json) printJson(answer);
    else print(dryRunText(answer));
    return;
  }
  if (!options.wait && !options.follow) {
    if (options.json) printJson(answer);
    else if (answer.count > 1) print(`${answer.arrayId}  ${answer.count} tasks, the first is ${id}`);
    else print(id);
    return;
  }
  await watchJob(client, id, answer.count, options);
}

/** What a dry run says: whether it would start now, and if not, why. */
function dryRunText({ verdict }: CallAnswer<'submitJob'>): string {
  if (!verdict) return 'The spec is valid.';
  return `${verdict.startsNow ? 'would start now' : `would wait (${verdict.reason})`}: ${printable(verdict.message)}`;
}

async function watchJob(client: Client, id: string, count: number, options: SubmitOptions): Promise<void> {
  const started = Date.now();
  const signal = interruptible(id);
  const say = options.json
    ? () => {}
    : (job: Parameters<typeof describeState>[0]) =>
        note(
          `${colors.dim(`${((Date.now() - started) / 1000).toFixed(1).padStart(6)} s`)}  ${id}  ${describeState(job)}`,
        );
  const following = options.follow && !options.json ? followLog(client, id, signal) : Promise.resolve();
  const [job] = await Promise.all([waitForEnd(client, id, say, signal), following]);
  if (count > 1 && !options.json) note(`The other ${count - 1} tasks: solyx jobs --array ${job.arrayId}`);
  if (options.json) printJson(job);
  process.exitCode = exitCodeOf(job);
}

/** Reads the spec; what is wrong in it as YAML is told with line and column, the rest is the server's to judge. */
function parseSpec(file: string): Record<string, unknown> {
  let text: string;
  try {
    text = readFileSync(file === '-' ? 0 : file, 'utf8');
  } catch (error) {
    throw new SolyxError('job_spec_invalid', {
      detail: `${file} cannot be read: ${(error as Error).message}`,
      cause: error,
    });
  }
  const document = parseDocument(text, { prettyErrors: true });
  const broken = document.errors[0];
  if (broken) {
    const at = broken.linePos?.[0];
    throw new SolyxError('invalid_yaml', {
      detail: `${file}${at ? `, line ${at.line}, column ${at.col}` : ''}: ${broken.message.split('\n')[0]}`,
    });
  }
  let value: unknown;
  try {
    value = document.toJS({ maxAliasCount: 100 });
  } catch (error) {
    throw new SolyxError('invalid_yaml', { detail: `${file}: ${(error as Error).message}`, cause: error });
  }
  if (typeof value !== 'object' || value === null || Array.isArray(value)) {
    throw new SolyxError('job_spec_invalid', `${file}: expected keys and values, like "name: my-job".`);
  }
  return value as Record<string, unknown>;
}

/** Replaces a folder in the spec by the hash of its bundle, uploading what the server does not have. */
async function uploadWorkingDirectory(client: Client, spec: Record<string, unknown>, base: string): Promise<void> {
  if (typeof spec.workingDirectory !== 'string') return;
  const bundle = await packFolder(resolve(base, spec.workingDirectory));
  try {
    const known = await client.headBlob({ params: { sha256: bundle.hash } }).then(
      () => true,
      (error) => {
        if (error instanceof SolyxError && error.code === 'not_found') return false;
        throw error;
      },
    );
    if (!known) {
      if (bundle.sizeBytes > 8 * 2 ** 20) note(colors.dim(`uploading ${formatBytes(bundle.sizeBytes)} …`));
      await client.putBlob(
        { params: { sha256: bundle.hash }, body: await readFile(bundle.file) },
        { timeoutSeconds: 900 },
      );
    }
    spec.workingDirectory = { bundle: bundle.hash };
  } finally {
    await bundle.dispose();
  }
}
