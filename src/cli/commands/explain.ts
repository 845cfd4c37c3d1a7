/** `solyx explain`: why a job stands where it stands, or why it waits and what would change that. */
import type { Command } from 'commander';
import type { CallAnswer } from '../../common/contract/client.ts';
import { connect } from '../connect.ts';
import { paintState, print, printable, printJson, printTable } from '../output.ts';

type Job = CallAnswer<'getJob'>;
type Explanation = NonNullable<Job['attempts'][number]['explanation']>;

export function explainCommand(program: Command): void {
  program
    .command('explain')
    .description('say why a job was placed where it is, or why it waits')
    .argument('<id>', 'id of the job')
    .option('--json', 'print JSON')
    .action(async (id: string, options: { json?: boolean }) => {
      const job = await (await connect()).getJob({ params: { id } });
      const attempt = job.attempts.at(-1);
      if (options.json) {
        printJson({ id: job.id, state: job.state, pending: job.pending, explanation: attempt?.explanation ?? null });
        return;
      }
      print(`${job.id}  ${printable(job.name)}  ${paintState(job.state)}`);
      if (job.pending !== null) printPending(job.pending);
      else if (attempt?.explanation) printPlacement(attempt.number, attempt.explanation);
      else print('It was never placed.');
    });
}

function printPending(pending: NonNullable<Job['pending']>): void {
  const { reason, message, rejections, expectedAt, deferredUntil } = pending;
  print(`waits: ${reason}`);
  if (message !== null) print(printable(message));
  else print('The scheduler has not looked at it yet; that takes seconds when it runs.');
  if (expectedAt !== null) print(`Expected to start about ${expectedAt}.`);
  if (deferredUntil !== null) print(`Not before ${deferredUntil}.`);
  printRejections(rejections ?? {});
}

function printPlacement(number: number, explanation: Explanation): void {
  const { policy, round, decidedAt, candidates, feasibleCount, rejections } = explanation;
  print(`attempt ${number}: round ${round} of ${policy}, ${decidedAt}; ${feasibleCount} nodes could take it`);
  printTable(
    candidates,
    [
      { title: 'NODE', value: ({ nodeId, nodeName }) => printable(nodeName ?? nodeId) },
      { title: 'SITE', value: ({ siteId, siteName }) => printable(siteName ?? siteId) },
      { title: 'SCORE', value: ({ score }) => String(score), align: 'right' },
      {
        title: 'TERMS',
        value: ({ terms }) => terms.map(({ name, value, unit }) => `${name} ${value} ${unit}`).join(', '),
      },
    ],
    'No candidates were kept.',
  );
  printRejections(rejections);
}

function printRejections(rejections: Readonly<Record<string, number | undefined>>): void {
  const parts = Object.entries(rejections).map(([code, nodes]) => `${code} ${nodes}`);
  if (parts.length > 0) print(`nodes refused by: ${parts.join(', ')}`);
}
