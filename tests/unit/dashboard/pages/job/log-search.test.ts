import { describe, expect, it } from 'vitest';
import { lineFragment, parseLineFragment } from '../../../../../dashboard/src/pages/job/log/line-link.ts';
import type { LogLine } from '../../../../../dashboard/src/pages/job/log/log-buffer.ts';
import {
  beginSearch,
  findWords,
  mostMatches,
  nextMatch,
  searchLines,
} from '../../../../../dashboard/src/pages/job/log/log-search.ts';

const lines = (texts: readonly string[], from = 0): LogLine[] =>
  texts.map((text, index) => ({ line: from + index, at: '', stream: 'stdout', text, partial: false }));

describe('search in a log', () => {
  it('finds words without regard to case and colours, page after page', () => {
    let state = beginSearch(' Loss ')!;
    state = searchLines(state, lines(['step 1', 'LOSS 2.1', '\x1b[31mlo\x1b[0mss']), 3);
    state = searchLines(state, lines(['nothing', 'loss'], 3), 5);
    expect(state).toEqual({ words: 'loss', matches: [1, 2, 4], searched: 5, cut: false });
  });

  it('does not count a line twice that comes again', () => {
    let state = beginSearch('a')!;
    state = searchLines(state, lines(['a', 'a']), 2);
    state = searchLines(state, lines(['a', 'a', 'a']), 3);
    expect(state.matches).toEqual([0, 1, 2]);
  });

  it('finds a word that is cut in two because its line came in two records', () => {
    const [first, second, other] = lines(['the nee', 'dle', 'dle']) as [LogLine, LogLine, LogLine];
    const cut = [
      { ...first, partial: true },
      { ...other, line: 1, stream: 'stderr' as const },
      { ...second, line: 2 },
    ];
    expect(searchLines(beginSearch('needle')!, cut, 3).matches).toEqual([0]);
  });

  it('says that there are more matches than it remembers', () => {
    const many = searchLines(beginSearch('e')!, lines(Array<string>(mostMatches + 1).fill('e')), mostMatches + 1);
    expect(many.matches).toHaveLength(mostMatches);
    expect(many.cut).toBe(true);
  });

  it('asks nothing for no words', () => {
    expect(beginSearch('   ')).toBeUndefined();
  });

  it('goes to the next and the former match and around', () => {
    expect(nextMatch([3, 7, 9], 3, 1)).toBe(1);
    expect(nextMatch([3, 7, 9], 9, 1)).toBe(0);
    expect(nextMatch([3, 7, 9], 3, -1)).toBe(2);
    expect(nextMatch([], 3, 1)).toBe(-1);
  });

  it('marks every place of a word, and none where letters change their number', () => {
    expect(findWords('Loss loss', 'loss')).toEqual([
      [0, 4],
      [5, 9],
    ]);
    expect(findWords('İ loss', 'loss')).toEqual([]);
  });
});

describe('the address of a line', () => {
  it('comes back as it was written, counted from 1 for people', () => {
    const place = { attempt: 2, rank: 3, line: 1_233 };
    expect(lineFragment(place)).toBe('#log=2.3.1234');
    expect(parseLineFragment('#log=2.3.1234')).toEqual(place);
  });

  it('is nothing when it names no line', () => {
    for (const wrong of ['', '#', '#log=1.2', '#log=0.0.1', '#log=1.0.0', '#log=1.0.-1', '#log=1.0.1x', '#logs'])
      expect(parseLineFragment(wrong)).toBeUndefined();
  });
});
