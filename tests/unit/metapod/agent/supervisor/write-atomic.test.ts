import { spawnSync } from 'node:child_process';
import { mkdtempSync, readdirSync, readFileSync, rmSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join, resolve } from 'node:path';
import { afterEach, beforeEach, expect, it } from 'vitest';

const files = resolve(import.meta.dirname, '../../../../../src/metapod/agent/supervisor/files.ts');
let folder = '';
beforeEach(() => {
  folder = mkdtempSync(join(tmpdir(), 'solyx-atomic-'));
});
afterEach(() => rmSync(folder, { recursive: true, force: true }));

it('keeps a file that a disk takes only the beginning of a new one for, says so, and leaves no rest', () => {
  const path = join(folder, 'start.json');
  writeFileSync(path, 'the old text');
  const program = `
    import { writeAtomic } from ${JSON.stringify(files)};
    try {
      writeAtomic(${JSON.stringify(path)}, JSON.stringify('x'.repeat(100_000)));
    } catch (error) {
      console.log(error.code);
    }`;
  // No file may have more than 8 KiB: as on a full disk, the first write is cut short and only the next one fails.
  const limited = 'ulimit -f 16; trap "" XFSZ; exec "$@"';
  const words = ['-c', limited, 'sh', process.execPath, '--input-type=module', '-e', program];
  const { stdout, stderr } = spawnSync('sh', words, { encoding: 'utf8' });
  expect(stderr).not.toContain('Error');
  expect(stdout).toBe('EFBIG\n');
  expect(readFileSync(path, 'utf8')).toBe('the old text');
  expect(readdirSync(folder)).toEqual(['start.json']);
});
