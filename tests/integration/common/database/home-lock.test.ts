import { mkdtempSync, rmSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { afterEach, beforeEach, describe, expect, it } from 'vitest';
import { holderOfHome, lockHome } from '../../../../src/common/database/index.ts';

let home: string;
beforeEach(() => {
  home = mkdtempSync(join(tmpdir(), 'solyx-lock-'));
});
afterEach(() => rmSync(home, { recursive: true, force: true }));

describe('the lock of a data directory', () => {
  it('names who holds it, while it is held', () => {
    expect(holderOfHome(home)).toBeUndefined();
    const lock = lockHome(home);
    expect(holderOfHome(home)).toBe(process.pid);
    lock.release();
    expect(holderOfHome(home)).toBeUndefined();
  });

  it('does not make whoever asks fall over when the holder could not write who it is', () => {
    const lock = lockHome(home);
    try {
      for (const text of ['', '{"pid":', 'null']) {
        writeFileSync(join(home, 'home.lock.json'), text);
        expect(holderOfHome(home)).toBeUndefined();
      }
    } finally {
      lock.release();
    }
  });
});
