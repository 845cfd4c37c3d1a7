import { spawnSync } from 'node:child_process';
import { mkdtempSync, readdirSync, rmSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join, resolve } from 'node:path';
import { describe, expect, it } from 'vitest';
import { FAILPOINTS, parseFailpoints } from '../../../src/common/failpoints.ts';

describe('failpoints', () => {
  it('are absent unless switched on', () => {
    expect(parseFailpoints(undefined)).toBeNull();
    expect(parseFailpoints('')).toBeNull();
  });

  it('name a place and at which hit it kills, the first by default', () => {
    const text = 'supervisor.before-spawn, supervisor.after-spawn:3';
    expect(parseFailpoints(text)).toEqual(
      new Map([
        ['supervisor.before-spawn', 1],
        ['supervisor.after-spawn', 3],
      ]),
    );
  });

  it.each(['supervisor.nowhere:1', 'supervisor.before-spawn:0', 'supervisor.before-spawn:x'])('refuse %s', (text) => {
    expect(() => parseFailpoints(text)).toThrow();
  });

  it('have names that say component and place, each once', () => {
    expect(FAILPOINTS.filter((name) => !/^[a-z-]+\.[a-z-]+$/.test(name))).toEqual([]);
    expect(new Set(FAILPOINTS).size).toBe(FAILPOINTS.length);
  });

  it('are armed by a file in a folder for the first process that comes there, and for it alone', () => {
    const folder = mkdtempSync(join(tmpdir(), 'solyx-failpoints-'));
    try {
      const module = resolve(import.meta.dirname, '../../../src/common/failpoints.ts');
      const script = `const { failpoint } = await import(${JSON.stringify(module)}); failpoint('api.before-commit')`;
      const run = () =>
        spawnSync(process.execPath, ['--input-type=module', '-e', script], {
          env: { ...process.env, SOLYX_FAILPOINTS: folder },
        });
      expect(run().status).toBe(0);
      writeFileSync(join(folder, 'api.before-commit'), '');
      const killed = run();
      expect(killed.signal).toBe('SIGKILL');
      expect(readdirSync(folder)).toEqual([`api.before-commit.fired.${killed.pid}`]);
      expect(run().status).toBe(0);
    } finally {
      rmSync(folder, { recursive: true, force: true });
    }
  });
});
