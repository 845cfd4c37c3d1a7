import { expect, test } from 'vitest';
import { patchJob, patchJobs } from '../../../../dashboard/src/live/patch.ts';
import type { JobDetail, JobSummary } from '../../../../src/common/contract/live.ts';

const job = (id: string, revision: string, state = 'queued') => ({ id, revision, state }) as JobSummary;

test('rows take newer values in their places, keep newer ones of their own, and others stay out', () => {
  const held = [job('b', '5'), job('a', '2')];
  const patched = patchJobs(held, [job('a', '3', 'running'), job('b', '4', 'failed'), job('c', '1')]);
  expect(patched).toEqual([job('b', '5'), job('a', '3', 'running')]);
  expect(patched[0]).toBe(held[0]);
  expect(patchJobs(held, [job('b', '4')])).toBe(held);
});

test('a job takes the fields, attempts and events of a delta, each once and in order', () => {
  const held = {
    ...job('a', '2'),
    attempts: [{ id: 'att_1', number: 1, state: 'running' }],
    timeline: [{ id: '9' }],
  } as unknown as JobDetail;
  const delta = {
    fields: { revision: '3', state: 'failed' as const },
    attempts: [
      { id: 'att_2', number: 2 },
      { id: 'att_1', number: 1, state: 'ended' },
    ] as never,
    timeline: [{ id: '10' }, { id: '9' }] as never,
  };
  const once = patchJob(held, delta);
  expect(once).toMatchObject({
    state: 'failed',
    attempts: [{ id: 'att_1', state: 'ended' }, { id: 'att_2' }],
    timeline: [{ id: '9' }, { id: '10' }],
  });
  expect(patchJob(once, delta)).toEqual(once);
  expect(patchJob(once, { fields: { revision: '2', state: 'queued' } }).state).toBe('failed');
});
