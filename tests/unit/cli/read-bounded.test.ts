import { mkdtempSync, rmSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { afterAll, describe, expect, it } from 'vitest';
import { readBounded } from '../../../src/cli/read-bounded.ts';

const folder = mkdtempSync(join(tmpdir(), 'solyx-bounded-'));
afterAll(() => rmSync(folder, { recursive: true, force: true }));
const file = join(folder, 'some');

describe('a bounded read', () => {
  it.each([0, 1, 65_536, 65_537, 200_000])('gives all of %i bytes that fit', (size) => {
    const bytes = Buffer.alloc(size, 'ab');
    writeFileSync(file, bytes);
    expect(readBounded(file, size).equals(bytes)).toBe(true);
    expect(readBounded(file, size + 1).equals(bytes)).toBe(true);
  });

  it('stops one byte after the limit, also of what has no end', () => {
    writeFileSync(file, 'abcdef');
    expect(readBounded(file, 3).toString()).toBe('abcd');
    expect(readBounded('/dev/zero', 100_000)).toHaveLength(100_001);
  });

  it('says of what cannot be read why', () => {
    expect(() => readBounded(join(folder, 'none'), 10)).toThrow(expect.objectContaining({ code: 'ENOENT' }));
    expect(() => readBounded(folder, 10)).toThrow(expect.objectContaining({ code: 'EISDIR' }));
  });
});
