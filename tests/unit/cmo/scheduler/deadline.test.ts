import { describe, expect, it } from 'vitest';
import { schedule } from '../../../../src/cmo/scheduler/core/schedule.ts';
import type { PendingJob } from '../../../../src/cmo/scheduler/core/snapshot.ts';
import { devices, fleetOf, job, node, now, policy } from './support/builders.ts';

const hourMs = 3_600_000;
const gpu = { resources: { devices: [{ count: 1 }] } };
const made = (id: string, more: Partial<PendingJob> = {}) =>
  job(`job_${id}`, gpu, { submittedAt: now - 1000, ...more });
const runTime = { likelySeconds: 3600, carefulSeconds: 7200 };
const order = (...jobs: PendingJob[]) =>
  schedule(
    fleetOf([node('n1', { devices: devices('n1', 4) })]),
    jobs,
    policy({ order: 'arrival' }),
    now,
  ).placements.map(({ jobId }) => jobId);

describe('a deadline', () => {
  it('gives the turn of an earlier job to whoever must start soon, the least laxity first', () => {
    const plain = made('a', { submittedAt: now - 2 * hourMs });
    const soon = made('b', { deadline: now + 2 * hourMs, runTime });
    const sooner = made('c', {
      deadline: now + 3 * hourMs,
      runTime: { likelySeconds: 2.5 * 3600, carefulSeconds: 9999 },
    });
    const late = made('d', { deadline: now + 100 * hourMs, runTime });
    expect(order(plain, soon, sooner, late)).toEqual(['job_c', 'job_b', 'job_a', 'job_d']);
  });

  it('passes nobody who came more than a day before its latest start, nor a higher priority', () => {
    const soon = made('b', { deadline: now + hourMs });
    expect(order(made('a', { submittedAt: now - 24 * hourMs }), soon)).toEqual(['job_a', 'job_b']);
    expect(order(made('a', { priority: 1 }), soon)).toEqual(['job_a', 'job_b']);
  });

  it('that was past or impossible from the start gains nothing, and that is said', () => {
    const past = made('b', { deadline: now - hourMs });
    const impossible = made('c', { deadline: now + hourMs / 2, runTime });
    expect(order(made('a', { submittedAt: now - 2000 }), past, impossible)).toEqual(['job_a', 'job_b', 'job_c']);
    const { pending } = schedule(fleetOf([]), [past, impossible, made('d', { deadline: Number.NaN })], policy(), now);
    const messages = ['b', 'c', 'd'].map((id) => pending.find(({ jobId }) => jobId === `job_${id}`)!.detail.message);
    expect(messages[0]).toContain('Its deadline 2026-11-21T23:00:00.000Z has passed.');
    expect(messages[1]).toContain('cannot be met any more');
    expect(messages[2]).not.toContain('deadline');
  });
});
