import { describe, expect, it } from 'vitest';
import { listOf, parseSearch, stringifySearch, textOf } from '../../../../dashboard/src/app/search.ts';

describe('the query part of an address', () => {
  it('is what people type: repeated words, no JSON', () => {
    const search = parseSearch('?state=running&state=failed&name=train');
    expect(search).toEqual({ state: ['running', 'failed'], name: 'train' });
    expect(stringifySearch(search)).toBe('?state=running&state=failed&name=train');
  });

  it('leaves out what is not set', () => {
    expect(stringifySearch({ a: undefined, b: null, c: '', d: [] })).toBe('');
  });

  it('takes names that objects have from birth as any other', () => {
    expect(listOf(parseSearch('?constructor=x&toString=y&toString=z'), 'toString')).toEqual(['y', 'z']);
    expect(textOf(parseSearch(''), 'constructor' as string)).toBeUndefined();
  });

  it('has as a single value the last one', () => {
    expect(textOf({ a: ['1', '2'] }, 'a')).toBe('2');
    expect(textOf({}, 'a')).toBeUndefined();
  });
});
