/**
 * How heavy is the console, how soon can one use it, and what does a live update cost?
 *
 * A real Chromium on the real product, with a fleet of 1,024 devices and some jobs in its database. Kilobytes are KiB as
 * transferred. The bound of the first route holds for everything that it transfers, the font and the answers of the API
 * included. Times are of this machine and of what else runs on it.
 */
import { readFileSync } from 'node:fs';
import { join } from 'node:path';
import { addFleet, keepHeard, largeFleet } from '../../tests/browser/support/large-fleet.ts';
import type { Benchmark, BenchmarkCase } from '../harness.ts';
import { Installation } from '../start/installation.ts';
import { clientOf } from '../start/submits.ts';
import { percentile } from '../statistics.ts';
import { BenchBrowser } from './browser.ts';
import { measureReadiness } from './interactive.ts';
import { type Fleet, measureUpdates } from './updates.ts';
import { type Visit, weigh } from './weight.ts';

const root = join(import.meta.dirname, '..', '..');
const jobs = 60;
/** A word of the name of the one part to run, such as `interactive`; all without it. */
const only = process.env.BENCH_DASHBOARD_PART;
/** How much slower the processor is made: a middling telephone. */
const slowdown = 4;
const updateRounds = 12;
const firstRouteKib = 200;

export const benchmark: Benchmark = {
  name: 'dashboard',
  question: 'How heavy is the console, how soon can one use it, what does a live update cost?',
  async run(context) {
    const installation = new Installation(root);
    let stopHearing = () => {};
    let browser: BenchBrowser | undefined;
    try {
      const url = await installation.up(['node', 'bin/solyx.mjs', 'up', '--no-node', '--port', '0']);
      const job = await submitJobs(installation.home, url);
      const fleet = { home: installation.home, ...(await addFleet(installation.home, largeFleet)) };
      stopHearing = keepHeard(installation.home);
      const key = readFileSync(join(installation.home, 'admin.key'), 'utf8').trim();
      const open = async () => (browser ??= await BenchBrowser.launch(url, key));
      const parts: readonly [string, () => Promise<BenchmarkCase[]>][] = [
        ['what routes transfer', async () => weights(await open(), job)],
        ['until it is interactive', async () => readiness(await open(), context.seeds)],
        ['live updates', async () => updates(await open(), fleet)],
      ];
      for (const [name, step] of parts)
        if (only === undefined || name.includes(only)) await context.measure(name, step);
    } finally {
      await browser?.close();
      stopHearing();
      await installation.dispose();
    }
  },
};

const aCase = (name: string, metric: string, unit: string, ours: number, atMost?: number): BenchmarkCase => ({
  case: name,
  metric,
  unit,
  ours: Number(ours.toPrecision(4)),
  peers: {},
  ...(atMost !== undefined && { bound: { atMost } }),
});

/** @returns id of the newest */
async function submitJobs(home: string, url: string): Promise<string> {
  const client = clientOf(home, url);
  let id = '';
  for (let index = 0; index < jobs; index += 1) {
    const body = { name: `train-${index}`, command: ['sleep', '60'], labels: { team: 'bench' } };
    id = (await client.submitJob({ body })).id!;
  }
  return id;
}

async function weights(browser: BenchBrowser, job: string): Promise<BenchmarkCase[]> {
  const visits: readonly Visit[] = [
    { path: '/', shows: 'main dl dd' },
    { path: '/login', shows: 'form, main', signedIn: false },
    { path: '/jobs', shows: '[role=grid] a' },
    { path: `/jobs/${job}`, shows: 'main h1' },
    { path: `/jobs/${job}?tab=logs`, shows: 'main h1' },
    { path: `/jobs/${job}?tab=charts`, shows: 'main h1' },
    { path: '/submit', shows: 'main form, main textarea' },
    { path: '/fleet', shows: 'main table, main [role=grid], main svg' },
    { path: '/admin', shows: 'main h1' },
    { path: '/account', shows: 'main h1' },
  ];
  const cases: BenchmarkCase[] = [];
  for (const [index, visit] of visits.entries()) {
    const { scriptBytes, styleBytes, fontBytes, otherBytes, uncompressed, requests } = await weigh(browser, visit);
    if (uncompressed.length > 0) throw new Error(`came without a compression: ${uncompressed.join(', ')}`);
    const name = visit.path.replace(job, ':id');
    const code = (scriptBytes + styleBytes) / 1024;
    const all = code + (fontBytes + otherBytes) / 1024;
    cases.push(aCase(name, `scripts and styles, in ${requests} requests with all else`, 'KiB', code));
    if (index === 0) cases.push(aCase(name, 'font', 'KiB', fontBytes / 1024));
    cases.push(
      aCase(name, 'everything, font and answers included', 'KiB', all, index === 0 ? firstRouteKib : undefined),
    );
  }
  return cases;
}

async function readiness(browser: BenchBrowser, visits: number): Promise<BenchmarkCase[]> {
  // The first visit reads from disk what the others find in memory.
  await measureReadiness(browser, 1);
  const measured = [];
  for (let visit = 0; visit < visits; visit += 1) measured.push(await measureReadiness(browser, slowdown));
  const median = (values: readonly number[]) => percentile(values, 0.5);
  const name = `overview, processor ÷ ${slowdown}`;
  const interactive = measured.map(({ interactiveMs }) => interactiveMs);
  return [
    aCase(name, 'navigation → figures painted, median', 'ms', median(measured.map(({ shownMs }) => shownMs))),
    aCase(name, 'navigation → a click on Jobs answered, median', 'ms', median(interactive), 1_500),
    aCase(name, 'navigation → a click on Jobs answered, worst', 'ms', Math.max(...interactive)),
    aCase(name, 'that click → the next picture, median', 'ms', median(measured.map(({ nextPaintMs }) => nextPaintMs))),
    aCase(
      name,
      'navigation → the rows of Jobs after that click, median',
      'ms',
      median(measured.map(({ rowsMs }) => rowsMs)),
    ),
  ];
}

async function updates(browser: BenchBrowser, fleet: Fleet): Promise<BenchmarkCase[]> {
  const cost = await measureUpdates(browser, fleet, updateRounds);
  const name = `fleet, ${fleet.devices.length} devices shown`;
  return [
    aCase(name, 'scripting per live update', 'ms', cost.scriptMs, 8),
    aCase(name, 'layout and styles per live update', 'ms', cost.layoutMs),
    aCase(name, 'longest task of the page (0: none over 50 ms)', 'ms', cost.worstTaskMs),
    aCase(name, 'samples per live update', 'samples', cost.samples / cost.updates),
  ];
}
