import { describe, expect, it } from 'vitest';
import { Problem } from '../../../../dashboard/src/api/problem.ts';
import { panelState, type QueryLike, roleNeeded } from '../../../../dashboard/src/ui/panel-state.ts';

const problem = (status: number, code = 'internal', detail?: string) =>
  new Problem({ status, code, title: 'No.', detail });
const query = (part: Partial<QueryLike<string[]>>): QueryLike<string[]> => ({
  data: undefined,
  error: null,
  isPending: part.data === undefined,
  refetch: () => {},
  ...part,
});
const isEmpty = (list: string[]) => list.length === 0;

describe('the state of a panel', () => {
  it('is loading until the first answer', () => {
    expect(panelState(query({}))).toEqual({ kind: 'loading' });
  });

  it('is loading, not error, while a passing failure is asked again', () => {
    expect(panelState(query({ failureCount: 1, failureReason: problem(503) }))).toEqual({ kind: 'loading' });
  });

  it('is offline from the first failure on when nobody answers', () => {
    const failure = problem(0, 'network');
    expect(panelState(query({ failureCount: 1, failureReason: failure }))).toEqual({
      kind: 'offline',
      problem: failure,
    });
  });

  it('is error when the server failed for good', () => {
    const failure = problem(500);
    expect(panelState(query({ error: failure }))).toEqual({ kind: 'error', problem: failure });
  });

  it('is empty only when an answer says so', () => {
    expect(panelState(query({ data: [] }), isEmpty)).toEqual({ kind: 'empty' });
    expect(panelState(query({ data: [] }))).toMatchObject({ kind: 'ready' });
  });

  it('keeps what was read when a later try fails, and says since when it is old', () => {
    const failure = problem(0, 'network');
    const state = panelState(
      query({ data: ['a'], failureCount: 2, failureReason: failure, dataUpdatedAt: 5 }),
      isEmpty,
    );
    expect(state).toEqual({ kind: 'ready', data: ['a'], stale: { problem: failure, since: 5 } });
  });

  it('shows nothing of what one may no longer see', () => {
    const failure = problem(403, 'forbidden', 'Role admin is needed; this key has member.');
    expect(panelState(query({ data: ['secret'], error: failure }))).toEqual({ kind: 'forbidden', problem: failure });
    expect(roleNeeded(failure)).toBe('admin');
  });
});
