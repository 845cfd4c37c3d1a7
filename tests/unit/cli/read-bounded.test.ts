import { spawn } from 'node:child_process';
import { once } from 'node:events';
import { mkdtempSync, rmSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join, resolve } from 'node:path';
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

  it('waits for a standard input that says for now that there is nothing', async () => {
    const module = resolve(import.meta.dirname, '../../../src/cli/read-bounded.ts');
    // Looking at it makes node tell the system not to wait for it.
    const script = `const { readBounded } = await import(${JSON.stringify(module)});
      process.stdin.isTTY; process.stdin.unref?.();
      process.stdout.write('reads\\n', () => process.stdout.write(readBounded(0, 100)));`;
    const child = spawn(process.execPath, ['--input-type=module', '-e', script], { stdio: ['pipe', 'pipe', 'pipe'] });
    let output = '';
    child.stderr.on('data', (bytes) => (output += bytes));
    child.stdout.on('data', (bytes) => {
      output += bytes;
      if (String(bytes).startsWith('reads')) setTimeout(() => child.stdin.end('came late'), 100);
    });
    await once(child, 'close');
    expect(output).toBe('reads\ncame late');
  });

  it('says of what cannot be read why', () => {
    expect(() => readBounded(join(folder, 'none'), 10)).toThrow(expect.objectContaining({ code: 'ENOENT' }));
    expect(() => readBounded(folder, 10)).toThrow(expect.objectContaining({ code: 'EISDIR' }));
  });
});
