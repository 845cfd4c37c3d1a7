/** `solyx submit`: sends a job spec, uploads its working directory, and waits or follows when asked to. */
import { randomUUID } from 'node:crypto';
import { dirname, resolve } from 'node:path';
import type { Command } from 'commander';
import colors from 'picocolors';
import type { CallAnswer, Client } from '../../common/contract/client.ts';
import type { JobSpecInput } from '../../common/contract/job-spec.ts';
import { connect } from '../connect.ts';
import { note, print, printable, printJson } from '../output.ts';
import { readSpec } from '../spec-file.ts';
import { countStates, exitCodeOf, followLog, leaveJobOnInterrupt, waitForArray, waitForJob } from '../watch.ts';

interface SubmitOptions {
  wait?: boolean;
  follow?: boolean;
  dryRun?: boolean;
  after?: string[];
  json?: boolean;
  idempotencyKey?: string;
}

type Submitted = CallAnswer<'submitJob'> & { id: string };

export function submitCommand(program: Command): void {
  program
    .command('submit')
    .description('submit a job (YAML or JSON; - reads standard input)')
    .argument('<spec>', 'file with the job spec')
    .option('--wait', 'wait until the job, or every task of an array, has ended; the exit code tells how')
    .option('--follow', 'show its log (of an array: of the first task), and wait until it has ended')
    .option('--after <id...>', 'jobs or arrays that must have succeeded first, beside those of the spec')
    .option('--dry-run', 'check everything and say what would happen, submit nothing')
    .option('--idempotency-key <key>', 'submit at most once under this key')
    .option('--json', 'print JSON; with --wait or --follow the job as it ended')
    .action(submit);
}

async function submit(file: string, options: SubmitOptions): Promise<void> {
  const spec = await readSpec(file);
  if (options.after !== undefined) spec.after = [...(Array.isArray(spec.after) ? spec.after : []), ...options.after];
  const client = await connect();
  if (typeof spec.workingDirectory === 'string') {
    const { uploadFolder } = await import('../upload.ts');
    const base = file === '-' ? process.cwd() : dirname(resolve(file));
    spec.workingDirectory = { bundle: await uploadFolder(client, resolve(base, spec.workingDirectory)) };
  }
  if (typeof spec.image === 'string') {
    const { uploadImage } = await import('../upload-image.ts');
    const base = file === '-' ? process.cwd() : dirname(resolve(file));
    spec.image = await uploadImage(client, spec.image, base);
  }
  const answer = await client.submitJob(
    { query: options.dryRun ? { dryRun: true } : {}, body: spec as JobSpecInput },
    { idempotencyKey: options.idempotencyKey ?? randomUUID() },
  );
  if (answer.id === null) {
    if (options.json) printJson(answer);
    else print(dryRunText(answer));
  } else if (options.wait || options.follow) await watch(client, answer as Submitted, options);
  else if (options.json) printJson(answer);
  else if (answer.count > 1) print(`${answer.arrayId}  ${answer.count} tasks, the first is ${answer.id}`);
  else print(answer.id);
}

/** What a dry run says: whether it would start now, and if not, why. */
function dryRunText({ verdict }: CallAnswer<'submitJob'>): string {
  if (!verdict) return 'The spec is valid.';
  const { startsNow, reason, message, expectedAt, ahead } = verdict;
  return [
    `${startsNow ? 'would start now' : `would wait (${reason})`}: ${printable(message)}`,
    ...(expectedAt === null ? [] : [`expected to start about ${expectedAt}`]),
    ...(startsNow || ahead === 0 ? [] : [`jobs of your tenant that wait before it: ${ahead}`]),
  ].join('\n');
}

async function watch(client: Client, submitted: Submitted, { follow, json }: SubmitOptions): Promise<void> {
  const { id, arrayId, count } = submitted;
  leaveJobOnInterrupt(id);
  const started = performance.now();
  const say = (line: string) => {
    const seconds = ((performance.now() - started) / 1000).toFixed(1);
    if (!json) note(`${colors.dim(`${seconds.padStart(6)} s`)}  ${arrayId ?? id}  ${line}`);
  };
  const following = follow && !json ? followLog(client, id) : undefined;
  if (arrayId !== null && count > 1) {
    const [tasks] = await Promise.all([waitForArray(client, arrayId, say), following]);
    if (json) printJson({ arrayId, count, states: countStates(tasks), items: tasks });
    else note(`The tasks: solyx jobs --array ${arrayId}`);
    process.exitCode = exitCodeOf(tasks);
  } else {
    const [job] = await Promise.all([waitForJob(client, id, say), following]);
    if (json) printJson(job);
    process.exitCode = exitCodeOf([job]);
  }
}
