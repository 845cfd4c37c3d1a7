/** A simulation as one HTML page that needs nothing else: no script, no font, no address. Light or dark as the reader's system is. */
import { differences } from '../compare.ts';
import { accountColumns, documentOf, type Simulated } from '../document.ts';
import { seriesOf, unitOf } from '../series.ts';
import { duration, number, percent } from '../words.ts';
import { type Chart, drawChart, escapeText, type Line } from './chart.ts';
import { drawGantt } from './gantt.ts';
import { styles } from './styles.ts';

export function reportOf(simulated: Simulated): string {
  const { cluster, jobs, played, seed, trace } = simulated;
  const document = documentOf(simulated);
  const seconds = played.reduce((most, { figures }) => Math.max(most, figures.makespanSeconds), 1);
  const series = played.map(({ name, result }) => ({ name, ...seriesOf(cluster, jobs, result, seconds) }));
  const lines = (of: (one: (typeof series)[number]) => readonly (number | null)[]): Line[] =>
    series.map((one, i) => ({ name: one.name, colour: i === 0 ? 1 : 2, values: of(one) }));
  const charts: Chart[] = [
    {
      title: `Utilisation: part of the ${unitOf(jobs)} that was held`,
      lines: lines(({ held }) => held),
      seconds,
      top: 1,
      format: percent,
    },
    { title: 'Jobs that wait', lines: lines(({ waiting }) => waiting), seconds, format: number },
    {
      title: 'Wait by time of submission: median, and p99 dashed',
      lines: [
        ...lines(({ waitMedian }) => waitMedian).map((line) => ({ ...line, name: `${line.name}, median` })),
        ...lines(({ waitP99 }) => waitP99).map((line) => ({ ...line, name: `${line.name}, p99`, isDashed: true })),
      ],
      seconds,
      format: duration,
      isTime: true,
    },
    {
      title: 'Fairness: Jain’s index over users of held ÷ wanted',
      lines: lines(({ fairness }) => fairness),
      seconds,
      top: 1,
      format: (value) => value.toFixed(2),
    },
    {
      title: 'Fragmentation: part of the fleet that is free but of no use to the jobs of the trace',
      lines: lines(({ fragmentation }) => fragmentation),
      seconds,
      format: percent,
    },
  ];
  const drawn = charts.filter((chart) => chart.lines.some((line) => line.values.some((value) => value !== null)));
  const facts = `${number(jobs.length)} jobs (${trace.format}) on ${number(cluster.nodes.length)} nodes of ${escapeText(cluster.name)}; seed ${seed}.`;
  return `<!doctype html>
<html lang="en"><head><meta charset="utf-8"><meta name="viewport" content="width=device-width, initial-scale=1">
<meta name="color-scheme" content="light dark"><title>Solyx simulation</title><style>${styles}</style></head>
<body><main><h1>Simulation</h1><p>${facts} Replayed from a trace by the code that decides in production; times count from the first submission.</p>
${table(document)}${byAccount(document)}${neverPlaced(document)}${compared(simulated)}
<div class="charts">${drawn.map(drawChart).join('\n')}</div>
${played.map(({ name, result }) => `<h2>${escapeText(name)}</h2>${drawGantt(cluster, jobs, result, seconds)}`).join('\n')}
</main></body></html>
`;
}

type Document = ReturnType<typeof documentOf>;

function table({ rows, simulations }: Document): string {
  const head = simulations.map(({ name }) => `<th scope="col">${escapeText(name)}</th>`).join('');
  const body = rows.map(
    ({ label, values }) =>
      `<tr><th scope="row">${escapeText(label)}</th>${values.map((value) => `<td>${escapeText(value)}</td>`).join('')}</tr>`,
  );
  return `<table><thead><tr><td></td>${head}</tr></thead><tbody>${body.join('')}</tbody></table>`;
}

/** What each account got, a table a policy; nothing where the fleet's file names none. */
function byAccount({ simulations }: Document): string {
  return simulations
    .filter(({ accounts }) => accounts.length > 0)
    .map(({ name, accounts }) => {
      const head = accountColumns.map(([title]) => `<th scope="col">${title}</th>`).join('');
      const body = accounts.map((account) => {
        const [user, ...texts] = accountColumns.map(([, text]) => escapeText(text(account)));
        return `<tr><th scope="row">${user}</th>${texts.map((text) => `<td>${text}</td>`).join('')}</tr>`;
      });
      return `<h2>${escapeText(name)}, by account</h2>
<table><thead><tr>${head}</tr></thead><tbody>${body.join('')}</tbody></table>`;
    })
    .join('\n');
}

/** Why jobs were never placed, as the scheduler said last. */
function neverPlaced({ simulations }: Document): string {
  return simulations
    .filter(({ unplaced }) => unplaced.length > 0)
    .map(({ name, unplaced }) => {
      const body = unplaced.map(
        ({ message, jobs }) => `<tr><th scope="row">${escapeText(message)}</th><td>${number(jobs)}</td></tr>`,
      );
      return `<h2>${escapeText(name)}: jobs that were never placed</h2>
<table><thead><tr><th scope="col">why</th><th scope="col">jobs</th></tr></thead><tbody>${body.join('')}</tbody></table>`;
    })
    .join('\n');
}

/** Paired differences in words, where two policies were played. */
function compared({ jobs, played }: Simulated): string {
  const [first, second] = played;
  if (first === undefined || second === undefined) return '';
  const rows = differences(jobs, first.result, second.result).map(
    ({ metric, unit, mean, low, high, smaller, larger }) => {
      const text = (value: number) => (unit === 's' ? duration(value) : number(value));
      const interval = low === null || high === null ? 'too few jobs' : `${text(low)} to ${text(high)}`;
      const name = { wait: 'wait', completion: 'completion', boundedSlowdown: 'bounded slowdown' }[metric];
      return `<tr><th scope="row">${name}</th><td>${text(mean)}</td><td>${interval}</td><td>${number(smaller)}</td><td>${number(larger)}</td></tr>`;
    },
  );
  return `<h2>${escapeText(second.name)} less ${escapeText(first.name)}, job by job</h2>
<table><thead><tr><td></td><th scope="col">mean</th><th scope="col">95 % interval</th><th scope="col">jobs smaller</th><th scope="col">jobs larger</th></tr></thead><tbody>${rows.join('')}</tbody></table>`;
}
