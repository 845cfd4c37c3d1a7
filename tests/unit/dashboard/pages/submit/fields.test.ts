import { describe, expect, it } from 'vitest';
import {
  fields,
  groups,
  mapOf,
  pairsOf,
  parsePointer,
  placeIssues,
  readValue,
  textOf,
} from '../../../../../dashboard/src/pages/submit/spec/fields.ts';
import { jobSpecSchema } from '../../../../../src/common/contract/job-spec.ts';

describe('a field of the form', () => {
  it('writes numbers as numbers and leaves to the server what is none', () => {
    expect(readValue('number', '0.5')).toBe(0.5);
    expect(readValue('number', ' 8 ')).toBe(8);
    expect(readValue('number', 'many')).toBe('many');
    expect(readValue('number', '1e400')).toBe('1e400');
    expect(readValue('number', '007')).toBe('007');
    expect(readValue('quantity', '512MiB')).toBe('512MiB');
    expect(readValue('quantity', '90')).toBe(90);
    expect(readValue('text', '90')).toBe('90');
    expect(readValue('number', '')).toBeUndefined();
  });

  it('shows any value as a text', () => {
    expect(textOf(undefined)).toBe('');
    expect(textOf(0)).toBe('0');
    expect(textOf(['a'])).toBe('["a"]');
  });

  it('stands at a place that the schema knows', () => {
    const accepted = {
      image: 'x',
      isolation: 'sandbox',
      network: 'none',
      project: 'p',
      checkpointPath: '/c',
      registrySecret: 's',
    } as Record<string, unknown>;
    for (const field of Object.values(fields)) {
      const value = accepted[field.id] ?? (field.kind === 'quantity' ? 100_000_000 : field.id === 'name' ? 'n' : 1);
      const nested = [...field.path].reverse().reduce<unknown>((inner, key) => ({ [key]: inner }), value);
      const result = jobSpecSchema.safeParse({ name: 'n', command: 'true', ...(nested as object) });
      const unknown = result.error?.issues.filter(({ code }) => code === 'unrecognized_keys') ?? [];
      expect(unknown, field.id).toEqual([]);
    }
  });
});

describe('an issue of the server', () => {
  it('is shown at the field that it is about', () => {
    const { at, elsewhere } = placeIssues([
      { at: '/resources/cpu', message: 'too big' },
      { at: '/resources/devices/0/count', message: 'too many' },
      { at: '/env/1X', message: 'no name' },
      { at: '/env', message: 'reserved' },
      { at: '/onDisconnect', message: 'odd' },
      { at: '/', message: 'whole' },
      { at: '/retries/out-of-memory', message: 'negative' },
      { at: '/resourcesX/cpu', message: 'unknown' },
    ]);
    expect(at).toEqual({
      cpu: 'too big',
      devices: '0.count: too many',
      env: '1X: no name; reserved',
      retryMemory: 'negative',
    });
    expect(elsewhere.map(({ at: place }) => place)).toEqual(['/onDisconnect', '/', '/resourcesX/cpu']);
  });

  it('is found by JSON pointers with escapes', () => {
    expect(parsePointer('/labels/a~1b~0c')).toEqual(['labels', 'a/b~c']);
    expect(parsePointer('')).toEqual([]);
  });
});

describe('pairs of a map', () => {
  it('come and go, without names that are empty', () => {
    expect(pairsOf({ env: { A: 'x', B: 1 } }, groups.env)).toEqual([
      ['A', 'x'],
      ['B', '1'],
    ]);
    expect(pairsOf({ env: ['a'] }, groups.env)).toBeUndefined();
    expect(pairsOf({}, groups.env)).toEqual([]);
    expect(
      mapOf([
        ['A', '1'],
        ['', 'lost'],
        ['A', '2'],
      ]),
    ).toEqual({ A: '2' });
    expect(mapOf([['', '']])).toBeUndefined();
  });

  it('cannot reach a prototype', () => {
    const map = mapOf([['__proto__', 'x']])!;
    expect(Object.keys(map)).toEqual(['__proto__']);
    expect(Object.getPrototypeOf(map)).toBe(Object.prototype);
  });
});
