import { describe, expect, it } from 'vitest';
import { asProblem, isPassing, readProblem } from '../../../../dashboard/src/api/problem.ts';
import { pathOf, queryText } from '../../../../dashboard/src/api/request.ts';

const headers = (values: Record<string, string> = {}) => ({ get: (name: string) => values[name] ?? null });

describe('an answer that is an error', () => {
  it('keeps what a person needs: code, words, remedy, request id', () => {
    const said = { code: 'forbidden', title: 'Not allowed.', detail: 'Role admin is needed.', remedy: 'Ask.' };
    const problem = readProblem(403, headers(), { ...said, instance: 'req_1' });
    expect(problem).toMatchObject({ ...said, requestId: 'req_1', status: 403 });
  });

  it('that is none of ours (a proxy’s) is told by its status, with the id of its header', () => {
    const problem = readProblem(502, headers({ 'x-request-id': 'req_2', 'retry-after': '7' }), '<html>');
    expect(problem).toMatchObject({ code: 'http_502', requestId: 'req_2', retryAfterSeconds: 7 });
  });

  it('is worth asking again only when it may pass by itself', () => {
    expect([0, 429, 503].map((status) => isPassing(readProblem(status, headers(), null)))).toEqual([true, true, true]);
    expect([400, 401, 403, 404, 409, 500].some((status) => isPassing(readProblem(status, headers(), null)))).toBe(
      false,
    );
  });

  it('may be anything that was thrown', () => {
    expect(asProblem(new Error('oops')).detail).toBe('oops');
    expect(asProblem('text').detail).toBe('text');
  });
});

describe('a request', () => {
  it('writes what came from outside so that it stays one part of the path', () => {
    expect(pathOf('/v1/jobs/:id/logs', { id: '../../keys?x=1' })).toBe('/v1/jobs/..%2F..%2Fkeys%3Fx%3D1/logs');
  });

  it('repeats lists and leaves out what is not set', () => {
    expect(queryText({ state: ['queued', 'failed'], limit: 5, cursor: undefined, label: 'a:b c' })).toBe(
      '?state=queued&state=failed&limit=5&label=a%3Ab+c',
    );
  });
});
