import { readFileSync } from 'node:fs';
import { join } from 'node:path';
import { describe, expect, it } from 'vitest';
import { generatedDocs } from '../../tools/scripts/docs/index.ts';
import { root } from './support/sources.ts';

describe('generated documents', () => {
  it.each(generatedDocs.map((doc) => [doc.file, doc] as const))('%s says what the code says', async (file, doc) => {
    expect(readFileSync(join(root, file), 'utf8'), 'run: npm run docs').toBe(await doc.generate());
  });
});
