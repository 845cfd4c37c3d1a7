import { describe, expect, it } from 'vitest';
import type { Job } from '../../../../../dashboard/src/api/contract.ts';
import { csvField, fileParts } from '../../../../../dashboard/src/pages/jobs/export.ts';
import { reasonOf } from '../../../../../dashboard/src/pages/jobs/reason.ts';
import { areViews, mostViews, putView, withoutView } from '../../../../../dashboard/src/pages/jobs/views.ts';

const job = (name: string, more: Partial<Job> = {}): Job => ({
  id: 'job_1',
  name,
  project: { id: 'prj_1', name: 'default' },
  state: 'queued',
  pending: { reason: 'new', message: null, rejections: null, deferredUntil: null, expectedAt: null },
  stopReason: null,
  contactLostSince: null,
  priority: 0,
  labels: {},
  arrayId: null,
  arrayIndex: null,
  attemptCount: 0,
  exitCode: null,
  reason: null,
  submittedBy: 'key_1',
  submittedAt: '2026-11-22T12:00:00.000Z',
  startedAt: null,
  endedAt: null,
  revision: '1',
  ...more,
});

const file = (format: 'csv' | 'json', pages: Job[][]): string => {
  const parts = fileParts(format);
  return parts.begin + pages.map((page) => parts.page(page)).join('') + parts.end;
};

describe('the list as a file', () => {
  it('is JSON that parses, whatever the pages were', () => {
    for (const pages of [[], [[]], [[job('a')], [], [job('b'), job('c')]]]) {
      expect(JSON.parse(file('json', pages)).map(({ name }: Job) => name)).toEqual(
        pages.flat().map(({ name }) => name),
      );
    }
  });

  it('is CSV with a line for each job', () => {
    const lines = file('csv', [[job('a'), job('b', { labels: { team: 'vision, "x"' } })]]).split('\r\n');
    expect(lines[0]).toMatch(/^id,name,project,state,/);
    expect(lines).toHaveLength(4);
    expect(lines[2]).toContain('"team:vision, ""x"""');
  });

  it.each(['=HYPERLINK("http://evil")', '+1', '-1', '@x', '\tx'])('never makes a spreadsheet run %s', (text) => {
    expect(csvField(text).replace(/^"/, '')).toMatch(/^'/);
  });

  it('keeps numbers numbers', () => {
    expect(csvField(-3)).toBe('-3');
    expect(csvField(null)).toBe('');
  });
});

describe('why a job is in its state', () => {
  it('is why it waits, in the server’s words, or the code in plain ones', () => {
    expect(reasonOf(job('a'))).toBe('new');
    const pending = {
      reason: 'no_matching_node' as const,
      message: 'Needs 4 GPUs.',
      rejections: {},
      deferredUntil: null,
      expectedAt: null,
    };
    expect(reasonOf(job('a', { pending }))).toBe('Needs 4 GPUs.');
    expect(reasonOf(job('a', { pending: { ...pending, message: null } }))).toBe('no matching node');
  });

  it('is why it is being stopped', () => {
    expect(reasonOf(job('a', { state: 'stopping', pending: null, stopReason: 'preempt' }))).toBe(
      'makes room for another job',
    );
  });

  it('is how it failed, and not that it failed', () => {
    const failed = { state: 'failed', pending: null, exitCode: 3 } as const;
    expect(reasonOf(job('a', { ...failed, reason: 'failed' }))).toBe('exit code 3');
    expect(reasonOf(job('a', { ...failed, reason: 'out-of-memory' }))).toBe('out of memory');
    expect(reasonOf(job('a', { ...failed, reason: 'failed', exitCode: null }))).toBeNull();
    const told = 'image_invalid: the image oci-archive:sha256-1f is not to be had: its my_part is damaged';
    expect(reasonOf(job('a', { ...failed, reason: told }))).toBe(told);
  });
});

describe('saved views', () => {
  it('are replaced by name, and the oldest goes when there are too many', () => {
    let views = putView([], { name: 'mine', search: { mine: 'true' } });
    views = putView(views, { name: 'mine', search: { state: ['failed'] } });
    expect(views).toEqual([{ name: 'mine', search: { state: ['failed'] } }]);
    for (let count = 0; count < mostViews; count += 1) views = putView(views, { name: `view ${count}`, search: {} });
    expect(views).toHaveLength(mostViews);
    expect(views[0]!.name).toBe('view 0');
    expect(withoutView(views, 'view 0')).toHaveLength(mostViews - 1);
  });

  it('are not whatever else stands in local storage', () => {
    expect(areViews([{ name: 'a', search: { state: ['x'] } }])).toBe(true);
    for (const wrong of [
      null,
      {},
      'x',
      [1],
      [{ name: 1, search: {} }],
      [{ name: 'a', search: { a: [1] } }],
      [{ name: 'a' }],
    ]) {
      expect(areViews(wrong)).toBe(false);
    }
  });
});
