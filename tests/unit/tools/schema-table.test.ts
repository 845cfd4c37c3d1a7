import { describe, expect, it } from 'vitest';
import { z } from 'zod';
import { keyRows, markdownTable } from '../../../tools/scripts/docs/schema-table.ts';

const schema = z.strictObject({
  name: z.string().describe('Its name.'),
  limits: z
    .strictObject({ cpu: z.number().default(1).describe('Cores | threads.') })
    .prefault({})
    .describe('What it may take.'),
  parts: z.array(z.strictObject({ kind: z.enum(['a', 'b']) })).default([]),
});

describe('the table of a schema', () => {
  it('has a row for every key, nested ones by their path', () => {
    expect(keyRows(schema).map((row) => row.path)).toEqual(['name', 'limits', 'limits.cpu', 'parts', 'parts[].kind']);
  });

  it('shows types, defaults and what is required, and keeps a bar inside its cell', () => {
    expect(markdownTable(keyRows(schema)).split('\n').slice(2, 5)).toEqual([
      '| `name` | string | required | Its name. |',
      '| `limits` | object |  | What it may take. |',
      '| `limits.cpu` | number | `1` | Cores \\| threads. |',
    ]);
  });

  it('names a key once that several alternatives have', () => {
    const either = z.strictObject({ of: z.union([z.strictObject({ a: z.int() }), z.strictObject({ a: z.string() })]) });
    expect(keyRows(either).map((row) => row.path)).toEqual(['of', 'of.a']);
  });
});
