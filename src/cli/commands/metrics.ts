/** `solyx metrics`: the training metrics of a job, each as a curve in one line. */
import type { Command } from 'commander';
import colors from 'picocolors';
import type { CallAnswer } from '../../common/contract/client.ts';
import { whole } from '../arguments.ts';
import { connect } from '../connect.ts';
import { note, print, printJson, printTable } from '../output.ts';
import { sparkline } from '../sparkline.ts';

interface MetricsOptions {
  attempt?: number;
  rank?: number;
  name?: string[];
  json?: boolean;
}

type Series = CallAnswer<'getJobMetrics'>['series'][number];

/** Characters of a curve. */
const curveWidth = 32;
/** Points of a series in JSON: all that are kept. */
const everyPoint = 4096;

export function metricsCommand(program: Command): void {
  program
    .command('metrics')
    .description('show the training metrics of a job')
    .argument('<id>', 'id of the job')
    .option('--attempt <n>', 'this attempt instead of the newest', whole(1, 1_000_000))
    .option('--rank <n>', 'only this rank of a gang', whole(0, 4096))
    .option('--name <name...>', 'only these')
    .option('--json', 'print JSON, with every point that is kept')
    .action(metrics);
}

async function metrics(id: string, { attempt, rank, name, json }: MetricsOptions): Promise<void> {
  const client = await connect();
  const query = { attempt, rank, name, resolution: json ? everyPoint : curveWidth * 4 };
  const answer = await client.getJobMetrics({ params: { id }, query });
  if (json) return printJson(answer);
  const ranks = new Set(answer.series.map((series) => series.rank)).size;
  printTable(
    answer.series,
    [
      { title: 'NAME', value: (series) => series.name },
      ...(ranks > 1 ? [{ title: 'RANK', value: (series: Series) => String(series.rank) }] : []),
      { title: 'STEP', value: (series) => String(series.last?.step ?? '–'), align: 'right' },
      { title: 'LAST', value: (series) => number(series.last?.value ?? null), align: 'right' },
      { title: 'MIN', value: (series) => number(series.min), align: 'right' },
      { title: 'MAX', value: (series) => number(series.max), align: 'right' },
      { title: 'VALUES', value: (series) => String(series.values), align: 'right' },
      { title: 'CURVE', value: (series) => sparkline(series.points.mean, curveWidth), paint: colors.cyan },
    ],
    'No metrics. A job writes them as lines like {"step": 1, "loss": 0.5} to $SOLYX_METRICS, or prints them.',
  );
  const gaps = answer.series.reduce((sum, series) => sum + series.gaps, 0);
  if (gaps > 0) print(colors.yellow(`${gaps} values were NaN or infinite.`));
  if (answer.ignored > 0) note(`${answer.ignored} lines or values could not be taken.`);
}

/** Six digits that say something. */
const number = (value: number | null): string => (value === null ? '–' : String(Number(value.toPrecision(6))));
