import fc from 'fast-check';
import { describe, expect, it } from 'vitest';
import { parseSearch, stringifySearch } from '../../../../../dashboard/src/app/search.ts';
import {
  countsFresh,
  filterQuery,
  filterSearch,
  isFiltered,
  noFilters,
  parseFilters,
} from '../../../../../dashboard/src/pages/jobs/filters.ts';

const now = Date.parse('2026-11-22T12:00:00.000Z');
const parse = (text: string) => parseFilters(parseSearch(text));

describe('filters of the list of jobs', () => {
  it('are what the address says', () => {
    expect(parse('?state=failed&state=running&name=train&label=team:vision&mine=true&since=24h')).toEqual({
      ...noFilters,
      states: ['failed', 'running'],
      namePrefix: 'train',
      labels: ['team:vision'],
      mine: true,
      since: '24h',
    });
  });

  it('leave out what makes no sense, wherever the address came from', () => {
    const odd =
      '?state=exploded&state=toString&name=<script>&label=nocolon&label=a%0Ab:c&mine=yes&since=constructor&from=never&submittedBy=me';
    expect(parse(odd)).toEqual(noFilters);
    expect(isFiltered(parse(odd))).toBe(false);
  });

  it('come back from their own address, whatever they are', () => {
    const label = fc
      .tuple(fc.stringMatching(/^[a-z][a-z0-9._/-]{0,10}$/), fc.string({ maxLength: 20 }))
      .map(([key, value]) => `${key}:${value}`)
      .filter((text) => !/\p{Cc}/u.test(text) && text.isWellFormed());
    const filters = fc.record({
      states: fc.uniqueArray(fc.constantFrom('queued', 'running', 'failed', 'succeeded', 'suspended')),
      namePrefix: fc.option(fc.stringMatching(/^[a-zA-Z0-9]([a-zA-Z0-9._-]{0,20}[a-zA-Z0-9])?$/)),
      project: fc.option(fc.stringMatching(/^[a-z]{1,10}$/)),
      labels: fc.uniqueArray(label, { maxLength: 5 }),
      mine: fc.boolean(),
      submittedBy: fc.constant(null),
      arrayId: fc.constant(null),
      since: fc.option(fc.constantFrom('1h', '24h', '7d')),
      from: fc.constant(null),
      to: fc.constant(null),
    });
    fc.assert(
      fc.property(filters, (given) => {
        expect(parseFilters(parseSearch(stringifySearch(filterSearch(given as never))))).toEqual(given);
      }),
    );
  });

  it('ask the API in its own words, and a span as the instant that it began', () => {
    expect(filterQuery(parse('?state=queued&name=a&since=1h&mine=true'), now)).toEqual({
      state: ['queued'],
      namePrefix: 'a',
      mine: true,
      from: '2026-11-22T11:00:00.000Z',
    });
    expect(filterQuery(parse('?from=2026-11-01T00:00:00%2B01:00&to=2026-11-02T00:00:00Z'), now)).toEqual({
      from: '2026-10-31T23:00:00.000Z',
      to: '2026-11-02T00:00:00.000Z',
    });
    expect(filterQuery(noFilters, now)).toEqual({});
  });

  it('count new jobs only where the live connection knows the filter', () => {
    expect(countsFresh(parse('?state=queued'))).toBe(true);
    expect(countsFresh(parse('?since=1h'))).toBe(true);
    expect(countsFresh(parse('?mine=true'))).toBe(false);
    expect(countsFresh(parse('?to=2026-11-02T00:00:00Z'))).toBe(false);
  });
});
