import { describe, expect, it } from 'vitest';
import type { RankObservation } from '../../../../src/cmo/orchestrator/backends/backend.ts';
import { mergeRank } from '../../../../src/cmo/orchestrator/merge-rank.ts';
import { at, rankRow } from './support/model.ts';

const bounds = { since: at(100), now: at(1000) };
const seen = (over: Partial<RankObservation>): RankObservation => ({
  attemptId: 'att',
  token: 1n,
  rank: 0,
  state: 'running',
  ...over,
});
const ended = (over: Partial<RankObservation>) =>
  seen({ state: 'ended', end: { reason: 'exited', exitCode: 0, signal: null, message: null }, ...over });

describe('an observation of a rank', () => {
  it('moves it forwards and never back', () => {
    const running = mergeRank(rankRow(0), seen({ startedAt: at(200) }), bounds);
    expect(running).toMatchObject({ state: 'running', started_at: at(200) });
    expect(mergeRank(running, seen({ state: 'starting' }), bounds)).toBe(running);
    const gone = mergeRank(running, ended({ endedAt: at(300) }), bounds);
    expect(gone).toMatchObject({ state: 'ended', started_at: at(200), ended_at: at(300), exit_code: 0 });
    expect(mergeRank(gone, seen({ startedAt: at(400) }), bounds)).toBe(gone);
    const contrary = ended({ end: { reason: 'out-of-memory', exitCode: null, signal: null, message: null } });
    expect(mergeRank(gone, contrary, bounds)).toBe(gone);
  });

  it('that a start failed for good is kept apart from one that may be tried again', () => {
    const failed = { reason: 'start-failed', exitCode: null, signal: null, message: 'no' } as const;
    const reasonAfter = (end: RankObservation['end']) => mergeRank(rankRow(0), ended({ end: end! }), bounds).reason;
    expect(reasonAfter(failed)).toBe('start-failed');
    expect(reasonAfter({ ...failed, permanent: true })).toBe('cannot-start');
    // Said of anything else it means nothing.
    expect(reasonAfter({ ...failed, reason: 'exited', permanent: true })).toBe('exited');
  });

  it('of a backend that cannot be asked changes nothing', () => {
    const rank = rankRow(0);
    expect(mergeRank(rank, seen({ state: 'unknown' }), bounds)).toBe(rank);
  });

  it('that is the only one gives start and end, from how long it ran', () => {
    expect(mergeRank(rankRow(0), ended({ endedAt: at(500), ranSeconds: 120 }), bounds)).toMatchObject({
      started_at: at(380),
      ended_at: at(500),
    });
  });

  it('without a run has no start', () => {
    expect(mergeRank(rankRow(0), ended({ endedAt: at(500) }), bounds)).toMatchObject({ started_at: null });
  });
});

describe('a node whose clock is wrong', () => {
  it('an hour behind, still has its run counted in full', () => {
    const behind = -3600;
    const running = mergeRank(rankRow(0), seen({ startedAt: at(200 + behind) }), bounds);
    expect(running.started_at).toEqual(at(100));
    const gone = mergeRank(running, ended({ endedAt: at(300 + behind), ranSeconds: 100 }), bounds);
    expect(gone).toMatchObject({ started_at: at(100), ended_at: at(200) });
  });

  it('an hour ahead, cannot have run beyond now', () => {
    const gone = mergeRank(rankRow(0), ended({ endedAt: at(300 + 3600), ranSeconds: 100 }), bounds);
    expect(gone).toMatchObject({ started_at: at(900), ended_at: at(1000) });
  });

  it('is not believed to have started before the attempt was handed to it', () => {
    const gone = mergeRank(rankRow(0), ended({ endedAt: at(500), ranSeconds: 10_000 }), bounds);
    expect(gone).toMatchObject({ started_at: at(100), ended_at: at(1000) });
  });
});
