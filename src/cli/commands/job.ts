/** `solyx job`: everything about one job: state, timeline, attempts, why it ran there, usage, cost, energy. */
import type { Command } from 'commander';
import colors from 'picocolors';
import { formatDuration } from '../../common/units.ts';
import { connect } from '../connect.ts';
import { paintState, print, printable, printJson } from '../output.ts';
import { describeState, type JobDetail } from '../watch.ts';

export function jobCommand(program: Command): void {
  program
    .command('job')
    .description('show one job: state, timeline, attempts, why it ran there, usage, cost, energy')
    .argument('<id>', 'id of the job')
    .option('--json', 'print JSON')
    .action(async (id: string, options: { json?: boolean }) => {
      const job = await (await connect()).getJob({ params: { id } });
      if (options.json) printJson(job);
      else show(job);
    });
}

function show(job: JobDetail): void {
  const title = job.arrayIndex === null ? job.name : `${job.name}[${job.arrayIndex}]`;
  print(`${colors.bold(printable(title))}  ${job.id}`);
  field('state', describeState(job));
  if (job.pending?.rejections) field('', rejectionText(job.pending.rejections));
  field('project', printable(job.project.name));
  const labels = Object.entries(job.labels).map(([key, value]) => `${key}:${value}`);
  if (labels.length > 0) field('labels', printable(labels.join('  ')));
  if (job.exitCode !== null) field('exit code', String(job.exitCode));
  if (job.checkpoint) field('checkpoint', `${job.checkpoint.hash.slice(0, 12)}… at ${job.checkpoint.at}`);
  showTimeline(job);
  for (const attempt of job.attempts) showAttempt(attempt, attempt === job.attempts.at(-1));
  showUsage(job.usage);
}

function field(name: string, value: string): void {
  print(`  ${colors.dim(name.padEnd(11))} ${value}`);
}

function showTimeline(job: JobDetail): void {
  print(colors.bold('Timeline'));
  const start = Date.parse(job.submittedAt);
  for (const event of job.timeline) {
    const { to, why, who, outcome, number } = event.data as Record<string, string | number | undefined>;
    const noun = event.kind.startsWith('attempt.') ? `attempt ${number ?? ''} ` : '';
    const details = [outcome, why, who && `by ${who}`].filter((part) => part !== undefined && part !== null).join(', ');
    const offset = `+${((Date.parse(event.at) - start) / 1000).toFixed(3)} s`;
    print(
      `  ${colors.dim(offset.padStart(12))}  ${noun}${paintState(String(to ?? event.kind))}${details ? colors.dim(`  ${printable(details)}`) : ''}`,
    );
  }
}

function showAttempt(attempt: JobDetail['attempts'][number], newest: boolean): void {
  print(colors.bold(`Attempt ${attempt.number}`) + colors.dim(`  ${attempt.id}`));
  field('state', `${paintState(attempt.state)}${attempt.outcome ? `, ${attempt.outcome}` : ''}`);
  if (attempt.message) field('message', printable(attempt.message));
  for (const rank of attempt.ranks) {
    field(
      attempt.ranks.length > 1 ? `rank ${rank.rank}` : 'node',
      `${rank.nodeId}${rank.exitCode === null ? '' : `  exit code ${rank.exitCode}`}${rank.signal ? `  ${rank.signal}` : ''}`,
    );
  }
  if (newest && attempt.explanation) showExplanation(attempt.explanation);
}

function showExplanation(why: NonNullable<JobDetail['attempts'][number]['explanation']>): void {
  field('why here', `best of ${why.feasibleCount} node(s) that fit, by ${printable(why.policy)} in round ${why.round}`);
  for (const candidate of why.candidates.slice(0, 5)) {
    const terms = candidate.terms.map(({ name, value, unit }) =>
      `${name} ${Number(value.toPrecision(4))} ${unit}`.trimEnd(),
    );
    field(
      '',
      `${candidate.nodeId}  score ${Number(candidate.score.toPrecision(4))}  ${colors.dim(printable(terms.join(', ')))}`,
    );
  }
  if (Object.keys(why.rejections).length > 0) field('', rejectionText(why.rejections));
}

const rejectionText = (rejections: Readonly<Record<string, number>>): string =>
  colors.dim(
    `not: ${Object.entries(rejections)
      .map(([code, count]) => `${count} by ${code}`)
      .join(', ')}`,
  );

function showUsage(usage: JobDetail['usage']): void {
  print(colors.bold('Usage') + (usage.open ? colors.dim('  so far') : ''));
  field('ran', formatDuration(usage.runSeconds));
  field('cpu time', formatDuration(usage.cpuSeconds));
  if (usage.deviceSeconds > 0) field('devices', `${Number(usage.deviceSeconds.toFixed(1))} device-seconds`);
  field('cost', `$${usage.costUsd}`);
  const energy = `${Number((usage.energyKwh * 1000).toPrecision(4))} Wh`;
  field('energy', usage.energySource === null ? '–' : `${energy}  ${colors.dim(usage.energySource)}`);
}
