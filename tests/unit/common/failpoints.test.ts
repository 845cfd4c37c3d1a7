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
});
