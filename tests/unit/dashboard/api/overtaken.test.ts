import { QueryClient } from '@tanstack/react-query';
import { expect, test } from 'vitest';
import { isCurrent, newer, notOvertaken } from '../../../../dashboard/src/api/overtaken.ts';

const job = (id: string, revision: string, state = 'queued') => ({ id, revision, state });
const queryKey = ['GET /v1/jobs/:id', { params: { id: 'a' } }];

test('revisions are compared as numbers, however long', () => {
  expect(isCurrent({ revision: '9' }, { revision: '10' })).toBe(true);
  expect(isCurrent({ revision: '10' }, { revision: '9' })).toBe(false);
  expect(isCurrent({ revision: '7' }, { revision: '7' })).toBe(true);
  expect(isCurrent({ revision: '9007199254740993' }, { revision: '9007199254740992' })).toBe(false);
});

/** Asks for job `a`; the answer is given when told. */
function asking(client: QueryClient) {
  const { promise, resolve } = Promise.withResolvers<ReturnType<typeof job>>();
  return { answer: resolve, kept: notOvertaken({ client, queryKey }, () => promise) };
}

test('an answer that a live change overtook does not undo it', async () => {
  const client = new QueryClient();
  const { answer, kept } = asking(client);
  client.setQueryData(queryKey, job('a', '10', 'running'));
  answer(job('a', '9'));
  expect(await kept).toEqual(job('a', '10', 'running'));
});

test('an answer newer than the change is taken, and so is one that was asked for after it, whatever its revision', async () => {
  const client = new QueryClient();
  const first = asking(client);
  client.setQueryData(queryKey, job('a', '10', 'running'));
  first.answer(job('a', '11', 'succeeded'));
  expect(await first.kept).toEqual(job('a', '11', 'succeeded'));
  const second = asking(client);
  second.answer(job('a', '2'));
  expect(await second.kept).toEqual(job('a', '2'));
});

test('each row of a page is looked at, and rows that are new or unknown stay as they came', () => {
  const held = { pages: [{ items: [job('a', '5', 'running')] }, { items: [job('b', '7')] }] };
  const answer = { items: [job('c', '1'), job('a', '4'), job('b', '8', 'failed')], nextCursor: 'x' };
  expect(newer(held, answer)).toEqual({
    items: [job('c', '1'), job('a', '5', 'running'), job('b', '8', 'failed')],
    nextCursor: 'x',
  });
  expect(newer({ items: [job('a', '5', 'running')] }, answer).items[1]).toEqual(job('a', '5', 'running'));
  expect(newer(undefined, answer)).toEqual(answer);
  expect(newer(held, { running: 3 })).toEqual({ running: 3 });
});
