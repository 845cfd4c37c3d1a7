/** Jobs of a fault simulation: small, of many shapes, some that fail, some that people change their minds about. */

import { shapeOf } from '../../src/cmo/scheduler/core/shape.ts';
import type { Shape } from '../../src/cmo/scheduler/core/snapshot.ts';
import { type Random, randomOf } from '../crash/random.ts';
import type { SimJob } from './rows.ts';

const gib = 2 ** 30;

/** Mean time between submissions at which the fleet of `nodes.ts` is about two thirds full, milliseconds. */
export const meanPauseMs = 2_200;

export const tenants = ['ten_a', 'ten_b', 'ten_c', 'ten_d'] as const;

const shapes: readonly { readonly weight: number; readonly shape: Shape }[] = [
  ...[250, 500].map((milli) => ({ weight: 3, shape: shapeLike({ devices: 1, milli }) })),
  { weight: 8, shape: shapeLike({ devices: 1, milli: 1000 }) },
  { weight: 2, shape: shapeLike({ devices: 1, milli: 1000, model: 'A' }) },
  { weight: 2, shape: shapeLike({ devices: 2, milli: 1000, model: 'B' }) },
  { weight: 2, shape: shapeLike({ devices: 4, milli: 1000 }) },
  { weight: 2, shape: shapeLike({ devices: 1, milli: 1000, nodes: 2 }) },
  { weight: 1, shape: shapeLike({ devices: 2, milli: 1000, nodes: 3 }) },
  { weight: 5, shape: shapeLike({ devices: 0, milli: 0 }) },
];
const allWeight = shapes.reduce((sum, { weight }) => sum + weight, 0);

interface Like {
  readonly devices: number;
  readonly milli: number;
  readonly nodes?: number;
  readonly model?: string;
}

function shapeLike({ devices, milli, nodes = 1, model }: Like): Shape {
  const request = {
    kind: 'gpu' as const,
    models: model === undefined ? [] : [model],
    minMemoryBytes: 0,
    count: devices,
    milli,
    minDriver: null,
  };
  return shapeOf({
    resources: {
      cpuMilli: 1000 * Math.max(1, devices),
      memoryBytes: 4 * gib,
      diskBytes: gib,
      sharedMemoryBytes: 0,
      nodes,
      deviceAlternatives: [devices === 0 ? [] : [request]],
    },
    isolation: 'process',
    network: 'none',
    pricing: { option: 'any' },
  });
}

function pickShape(random: Random): Shape {
  let left = random.next() * allWeight;
  for (const { weight, shape } of shapes) {
    left -= weight;
    if (left < 0) return shape;
  }
  return shapes[0]!.shape;
}

/** The nth job. What it does follows from seed and number alone, whatever happened before. */
export function makeJob(seed: number, number: number, now: number): SimJob {
  const random = randomOf(seed, `job ${number}`);
  const shape = pickShape(random);
  const retries = random.next() < 0.1 ? 0 : 50;
  const stopAfter = random.whole(20, 90);
  const keeps = random.next() < 0.03;
  const isLong = random.next() < 0.03;
  const runMs = random.next() < 0.04 ? 0 : 1000 * random.whole(5, isLong ? 900 : 160);
  return {
    id: `job_${String(number).padStart(7, '0')}`,
    tenant: tenants[number % tenants.length]!,
    state: 'queued',
    stop_reason: null,
    retries_used: {},
    revision: 1n,
    newest_token: 0n,
    attempt_count: 0,
    spec: {
      onDisconnect: keeps ? 'keep' : { stopAfter },
      retries: {
        failed: Math.min(retries, 1),
        'out-of-memory': Math.min(retries, 1),
        'timed-out': 0,
        'start-failed': Math.min(retries, 3),
        'node-lost': retries,
      },
    },
    shape,
    priority: random.next() < 0.05 ? 10 : 0,
    submittedAt: now,
    queuedAt: now,
    notBefore: 0,
    script: (attempt) => {
      const own = randomOf(seed, `job ${number} attempt ${attempt}`);
      return {
        startMs: own.whole(100, 4_000),
        runMs,
        stopMs: own.whole(50, 6_000),
        end: endOf(own),
        forgetsTimes: own.next() < 0.02,
      };
    },
  };
}

function endOf(random: Random): ReturnType<SimJob['script']>['end'] {
  const at = random.next();
  if (at < 0.9) return { reason: 'exited', exitCode: 0 };
  if (at < 0.94) return { reason: 'exited', exitCode: random.whole(1, 120) };
  if (at < 0.96) return { reason: 'out-of-memory', exitCode: null };
  if (at < 0.98) return { reason: 'start-failed', exitCode: null };
  return { reason: 'timed-out', exitCode: null };
}
