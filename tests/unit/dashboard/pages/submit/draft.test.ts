import fc from 'fast-check';
import { describe, expect, it } from 'vitest';
import * as yaml from 'yaml';
import {
  editDraft,
  mostCharacters,
  readDraft,
  valueAt,
  writeSpec,
} from '../../../../../dashboard/src/pages/submit/spec/draft.ts';

const text = `# My training job.
name: train # keep this
command: [node, train.mjs]
resources:
  # small on purpose
  cpu: 1
  memory: 512MiB
futureField:
  deep: [1, 2]
labels: {team: red}
`;
const specOf = (source: string) => {
  const draft = readDraft(yaml, source);
  if (draft.kind === 'broken') throw new Error(draft.message);
  return draft.spec;
};

describe('a form field', () => {
  it('changes its own place and leaves comments, order and unknown fields', () => {
    const edited = editDraft(yaml, text, ['resources', 'cpu'], 4);
    expect(edited).toBe(text.replace('cpu: 1', 'cpu: 4'));
    expect(editDraft(yaml, text, ['name'], 'other')).toBe(text.replace('name: train', 'name: other'));
  });

  it('makes the maps on its way, and takes them away when they are empty again', () => {
    const added = editDraft(yaml, text, ['timeouts', 'run'], '15m');
    expect(specOf(added)).toEqual({ ...specOf(text), timeouts: { run: '15m' } });
    expect(editDraft(yaml, added, ['timeouts', 'run'], undefined)).toBe(text);
  });

  it('writes into an empty text and into one of comments only', () => {
    expect(editDraft(yaml, '', ['name'], 'a')).toBe('name: a\n');
    expect(editDraft(yaml, '# only this\n', ['name'], 'a')).toMatch(/^# only this\n\n?name: a\n$/);
    expect(editDraft(yaml, '', ['name'], undefined)).toBe('');
  });

  it('writes what reads like something else so that it stays a text', () => {
    for (const value of [
      'yes',
      '007',
      '1e3',
      'null',
      '- a',
      '# no',
      'a: b',
      ' x ',
      '*a',
      '&a',
      '!t',
      "'",
      '"',
      '\u2028',
    ])
      expect(valueAt(specOf(editDraft(yaml, text, ['name'], value)), ['name'])).toBe(value);
  });

  it('writes through an alias into a copy', () => {
    const shared = 'base: &b\n  A: "1"\nenv: *b\n';
    const edited = editDraft(yaml, shared, ['env', 'B'], '2');
    expect(specOf(edited)).toEqual({ base: { A: '1' }, env: { A: '1', B: '2' } });
  });

  it('replaces what is no map where a map is needed', () => {
    expect(specOf(editDraft(yaml, 'resources: nonsense\n', ['resources', 'cpu'], 2))).toEqual({
      resources: { cpu: 2 },
    });
    expect(editDraft(yaml, 'resources: nonsense\n', ['resources', 'cpu'], undefined)).toBe('resources: nonsense\n');
  });

  it('reads back every value that it wrote, and nothing else changes', () => {
    const path = fc.constantFrom(
      ['name'],
      ['resources', 'cpu'],
      ['env'],
      ['labels', 'team'],
      ['timeouts', 'run'],
      ['command'],
      ['resources', 'devices'],
    );
    const value = fc.oneof(
      fc.string({ unit: 'grapheme' }),
      fc
        .string({ unit: 'binary' })
        .filter((one) => one.isWellFormed() && !/(?![\t\n])\p{Cc}|[\ufffe\uffff\ufeff]/u.test(one)),
      fc.double({ noNaN: true, noDefaultInfinity: true }).map((number) => (Object.is(number, -0) ? 0 : number)),
      fc.array(fc.string({ unit: 'grapheme' }), { maxLength: 4 }),
      fc.dictionary(fc.stringMatching(/^[A-Za-z_]\w{0,8}$/), fc.string({ unit: 'grapheme' }), { maxKeys: 4 }),
    );
    fc.assert(
      fc.property(fc.array(fc.tuple(path, value), { maxLength: 5 }), (edits) => {
        let current = text;
        for (const [place, wanted] of edits) {
          const before = specOf(current);
          current = editDraft(yaml, current, place, wanted);
          const after = specOf(current);
          expect(valueAt(after, place)).toEqual(wanted);
          for (const key of Object.keys(before)) if (key !== place[0]) expect(after[key]).toEqual(before[key]);
          expect(current).toContain('# My training job.');
        }
      }),
      { numRuns: 300 },
    );
  });
});

describe('a text that is no spec', () => {
  const broken = (source: string) => {
    const draft = readDraft(yaml, source);
    return draft.kind === 'broken' ? { message: draft.message, line: draft.line } : undefined;
  };

  it('is told with its line', () => {
    expect(broken('name: a\ncommand: [1, 2\n')).toMatchObject({ line: 3 });
    expect(broken('name: a\nenv: {x\n')?.line).toBe(3);
    expect(broken('- a\n- b\n')).toEqual({ message: 'Expected keys and values, like "name: my-job".', line: 1 });
    expect(broken('name: a\nname: b\n')).toEqual({ message: 'The key name stands here again.', line: 2 });
    expect(broken('a: 1\n---\nb: 2\n')?.message).toMatch(/several/);
  });

  it('cannot exhaust the page with aliases, depth, length or many keys', () => {
    const bomb = [
      'a: &a [x,x,x,x,x,x,x,x,x]',
      ...'bcdefghi'.split('').map((name, index) => `${name}: &${name} [${Array(9).fill(`*${'abcdefgh'[index]}`)}]`),
    ];
    expect(broken(bomb.join('\n'))?.message).toBeDefined();
    expect(broken(`a: ${'['.repeat(20_000)}`)?.message).toBeDefined();
    expect(broken(`a: ${'x'.repeat(mostCharacters)}`)?.message).toMatch(/longer/);
    const started = performance.now();
    readDraft(yaml, Array.from({ length: 20_000 }, (_, index) => `k${index}: 1`).join('\n'));
    expect(performance.now() - started).toBeLessThan(5_000);
  });

  it('is readable when it is empty', () => {
    expect(specOf('')).toEqual({});
    expect(specOf('# nothing yet\n')).toEqual({});
  });
});

describe('a spec as YAML', () => {
  it('reads back as it was', () => {
    const spec = { name: 'a', command: 'echo "x"\nexit 1\n', env: { A: 'yes', B: '007' }, resources: { cpu: 0.5 } };
    expect(specOf(writeSpec(yaml, spec, 'Copied.'))).toEqual(spec);
    expect(writeSpec(yaml, spec, 'Copied.')).toMatch(/^# Copied\.\n/);
  });
});
