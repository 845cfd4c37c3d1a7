/**
 * How long does a newcomer wait, how soon does a job run, and what does it cost when nothing happens?
 *
 * Everything is the real product in processes of its own. Times are of this machine and of what else runs on it: the bounds hold
 * on an otherwise idle one. There is no peer in the run; what others publish of this stands in the table as quoted.
 */
import { execFileSync } from 'node:child_process';
import { copyFileSync, existsSync, mkdirSync, mkdtempSync, rmSync, symlinkSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { setTimeout } from 'node:timers/promises';
import { type Benchmark, type BenchmarkCase, MissingData } from '../harness.ts';
import { percentile } from '../statistics.ts';
import { measureIdle, shareOf } from './idle.ts';
import { Installation } from './installation.ts';
import { clientOf, measureSubmits, type SubmitTimes, untilNode } from './submits.ts';

const root = join(import.meta.dirname, '..', '..');
const jobs = 25;
/** Before idleness is measured: what starts has started, and connections that only the start needed were closed. */
const settleSeconds = 75;
const idleSeconds = 60;
const busybox = '/bin/busybox';

export const benchmark: Benchmark = {
  name: 'start',
  question: 'How soon does it run, and what does it cost at rest?',
  async run(context) {
    await context.measure('a clean clone to its first finished job', cleanClone);
    await context.measure('warm starts', () => warmStarts(context.seeds));
    await context.measure('submit to running in the sandbox', () => submits('sandbox'));
    await context.measure('submit to running in a container', () => submits('container'));
    await context.measure('at rest', idle);
  },
};

const aCase = (name: string, metric: string, unit: string, ours: number, atMost?: number): BenchmarkCase => ({
  case: name,
  metric,
  unit,
  ours,
  peers: {},
  ...(atMost !== undefined && { bound: { atMost } }),
});

/** With a warm npm cache: the first run on a machine also pays for the downloads. */
async function cleanClone(): Promise<BenchmarkCase[]> {
  const folder = mkdtempSync(join(tmpdir(), 'solyx-clone-'));
  const clone = join(folder, 'solyx');
  const began = performance.now();
  const seconds = () => (performance.now() - began) / 1000;
  try {
    execFileSync('git', ['clone', '--quiet', root, clone], { stdio: 'ignore' });
    const installation = new Installation(clone);
    try {
      await installation.up(['npm', 'start', '--', '--port', '0']);
      const ready = seconds();
      installation.run(['submit', 'examples/train.yaml', '--follow']);
      return [
        aCase('clean clone', 'clone → ready', 's', ready),
        aCase('clean clone', 'clone → first job finished', 's', seconds(), 120),
      ];
    } finally {
      await installation.dispose();
    }
  } finally {
    rmSync(folder, { recursive: true, force: true });
  }
}

async function warmStarts(times: number): Promise<BenchmarkCase[]> {
  const installation = new Installation(root);
  const words = ['npm', 'start', '--', '--port', '0'];
  try {
    await installation.up(words);
    const seconds: number[] = [];
    for (let time = 0; time < times; time += 1) {
      await installation.stop();
      const began = performance.now();
      await installation.up(words);
      seconds.push((performance.now() - began) / 1000);
    }
    return [aCase('warm start', 'npm start → ready, median', 's', percentile(seconds, 0.5), 3)];
  } finally {
    await installation.dispose();
  }
}

async function submits(isolation: 'sandbox' | 'container'): Promise<BenchmarkCase[]> {
  const images = isolation === 'container' ? makeImage() : undefined;
  const installation = new Installation(root, images === undefined ? {} : { SOLYX_IMAGES_FOLDERS: images });
  try {
    const client = clientOf(installation.home, await installation.up());
    await untilNode(client);
    const spec = images === undefined ? { isolation } : { isolation, image: `rootfs:${join(images, 'root')}` };
    // The first start reads from disk what the others find in memory.
    await measureSubmits(client, spec, 2);
    return casesOf(isolation, await measureSubmits(client, spec, jobs));
  } finally {
    await installation.dispose();
    if (images !== undefined) rmSync(images, { recursive: true, force: true });
  }
}

function casesOf(isolation: 'sandbox' | 'container', { seen, started }: SubmitTimes): BenchmarkCase[] {
  const name = `submit, ${isolation}`;
  return [
    aCase(
      name,
      'submit → running, as the API says, p50',
      'ms',
      percentile(seen, 0.5),
      isolation === 'sandbox' ? 150 : 800,
    ),
    aCase(name, 'submit → running, as the API says, p95', 'ms', percentile(seen, 0.95)),
    aCase(name, 'submitted → command runs, p50', 'ms', percentile(started, 0.5)),
  ];
}

/** A folder with a root file system of one program. */
function makeImage(): string {
  if (!existsSync(busybox)) throw new MissingData(`${busybox} (Debian package busybox-static)`);
  const folder = mkdtempSync(join(tmpdir(), 'solyx-image-'));
  const programs = join(folder, 'root', 'bin');
  mkdirSync(programs, { recursive: true });
  copyFileSync(busybox, join(programs, 'busybox'));
  for (const name of ['sh', 'sleep']) symlinkSync('busybox', join(programs, name));
  return folder;
}

async function idle(): Promise<BenchmarkCase[]> {
  const installation = new Installation(root);
  try {
    await untilNode(clientOf(installation.home, await installation.up()));
    await setTimeout(settleSeconds * 1000);
    const { seconds, controlPlane, postgres, agent } = await measureIdle(
      installation.home,
      installation.pid,
      idleSeconds,
    );
    const percent = (share: number) => Number((100 * share).toFixed(2));
    const mebibytes = (bytes: number) => Math.round(bytes / 2 ** 20);
    const server = percent(shareOf(controlPlane, seconds) + shareOf(postgres, seconds));
    const memory = mebibytes(controlPlane.memoryBytes + postgres.memoryBytes + agent.memoryBytes);
    return [
      aCase('at rest', 'CPU of control plane and PostgreSQL', '% of a core', server, 1),
      aCase('at rest', 'CPU of the control plane', '% of a core', percent(shareOf(controlPlane, seconds))),
      aCase('at rest', 'CPU of PostgreSQL', '% of a core', percent(shareOf(postgres, seconds))),
      aCase('at rest', 'CPU of the agent', '% of a core', percent(shareOf(agent, seconds))),
      aCase('at rest', 'memory (PSS) of all three', 'MiB', memory, 400),
    ];
  } finally {
    await installation.dispose();
  }
}
