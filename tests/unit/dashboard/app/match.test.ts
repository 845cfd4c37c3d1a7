import { describe, expect, it } from 'vitest';
import { nameOfPress } from '../../../../dashboard/src/app/keys.ts';
import { matching } from '../../../../dashboard/src/app/match.ts';

const entries = [
  { label: 'Submit a job', words: 'new create' },
  { label: 'Jobs' },
  { label: 'Cancel job train-résumé' },
  { label: 'Overview' },
];
const found = (typed: string) => matching(entries, typed).map(({ label }) => label);

describe('the command palette', () => {
  it('shows everything before anything is typed', () => {
    expect(found(' ')).toHaveLength(4);
  });

  it('finds by the beginnings of words, in any order, without accents and case', () => {
    expect(found('job sub')).toEqual(['Submit a job']);
    expect(found('RESUME')).toEqual(['Cancel job train-résumé']);
    expect(found('create')).toEqual(['Submit a job']);
    expect(found('ubmit')).toEqual([]);
  });

  it('puts those first whose name begins so', () => {
    expect(found('job')[0]).toBe('Jobs');
  });
});

describe('key presses', () => {
  const press = (key: string, held: Partial<Record<'ctrlKey' | 'metaKey' | 'altKey', boolean>> = {}) =>
    nameOfPress({ key, ctrlKey: false, metaKey: false, altKey: false, ...held });

  it('are called alike with Control and with Command', () => {
    expect(press('K', { ctrlKey: true })).toBe('mod+k');
    expect(press('k', { metaKey: true })).toBe('mod+k');
  });

  it('with Alt, and keys that write nothing, are none of ours', () => {
    expect(press('k', { altKey: true })).toBeNull();
    expect(press('Shift')).toBeNull();
    expect(press('?')).toBe('?');
  });
});
