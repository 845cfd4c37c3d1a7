import { chmodSync, chownSync, mkdirSync, mkdtempSync, rmSync, statSync, symlinkSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { afterEach, beforeEach, describe, expect, it, vi } from 'vitest';
import { claimHome, homeMode } from '../../../../src/common/config/home-mode.ts';

let folder = '';
let home = '';
beforeEach(() => {
  folder = mkdtempSync(join(tmpdir(), 'solyx-home-mode-'));
  home = join(folder, 'solyx');
});
afterEach(() => {
  vi.unstubAllEnvs();
  rmSync(folder, { recursive: true, force: true });
});

const modeOf = (path: string) => (statSync(path).mode & 0o7777).toString(8);

function make(mode: number, ...names: readonly string[]): void {
  mkdirSync(home);
  for (const name of names) writeFileSync(join(home, name), '');
  chmodSync(home, mode);
}

describe('a data directory', () => {
  it('is made for its user alone, with the folders above it', () => {
    home = join(folder, 'a', 'b', 'solyx');
    expect(claimHome(home)).toEqual({ kind: 'private' });
    expect(modeOf(home)).toBe('700');
  });

  it.each([0o755, 0o777, 0o750, 0o701])('that is empty and has mode %o is closed', (mode) => {
    make(mode);
    expect(claimHome(home)).toEqual({ kind: 'closed', before: mode.toString(8) });
    expect(modeOf(home)).toBe('700');
    expect(claimHome(home)).toEqual({ kind: 'private' });
  });

  it('in which the product has worked is closed', () => {
    make(
      0o755,
      'admin.key',
      'home.lock',
      'home.lock-journal',
      'home.lock.json.tmp',
      '.postgres-new-17-1',
      'solyx.yaml',
    );
    expect(homeMode(home)).toEqual({ kind: 'closed', before: '755' });
    expect(modeOf(home)).toBe('755');
    claimHome(home);
    expect(modeOf(home)).toBe('700');
  });

  it('that holds other files is left as it is, and they are named', () => {
    make(0o755, 'admin.key', 'thesis.tex', 'photos', '.ssh', 'agents', 'zoo');
    expect(claimHome(home)).toEqual({
      kind: 'open',
      mode: '755',
      why: 'It holds what is not of Solyx: .ssh, agents, photos and 2 more.',
    });
    expect(modeOf(home)).toBe('755');
  });

  it('that is the user’s home is left as it is, also by another name and when it is empty', () => {
    make(0o755);
    vi.stubEnv('HOME', home);
    const other = join(folder, 'other');
    symlinkSync(home, other);
    for (const path of [home, other]) {
      expect(claimHome(path)).toEqual({ kind: 'open', mode: '755', why: 'It is no folder of its own.' });
    }
    expect(modeOf(home)).toBe('755');
  });

  it('that others put their files into is left as it is', () => {
    make(0o1777);
    expect(claimHome(home)).toMatchObject({ kind: 'open', mode: '1777' });
    expect(modeOf(home)).toBe('1777');
  });

  it.skipIf(process.getuid?.() !== 0)('of somebody else is left as it is (needs root to be given away)', () => {
    make(0o755);
    chownSync(home, 12_345, 12_345);
    expect(claimHome(home)).toEqual({ kind: 'open', mode: '755', why: 'It belongs to another user.' });
    expect(modeOf(home)).toBe('755');
  });
});
