import { describe, expect, it } from 'vitest';
import { LogWindow } from '../../../../src/metapod/agent/log-window.ts';

const credit = 1_048_576;

describe('the window of logs', () => {
  it('opens to the server’s credit within a few quick answers, and never beyond', () => {
    const window = new LogWindow(credit);
    for (let answer = 0; answer < 4; answer++) window.took(20);
    expect(window.bytes).toBe(credit);
    window.took(20);
    expect(window.bytes).toBe(credit);
  });

  it('closes while answers are slow, and stays open a crack', () => {
    const window = new LogWindow(credit);
    for (let answer = 0; answer < 20; answer++) window.took(5_000);
    expect(window.bytes).toBe(8_192);
  });

  it('keeps what on a slow line is on the way below what the line carries in a few seconds', () => {
    for (const bytesPerSecond of [4_000, 20_000, 200_000]) {
      const window = new LogWindow(credit);
      for (let answer = 0; answer < 50; answer++) window.took((window.bytes / bytesPerSecond) * 1000);
      expect(window.bytes / bytesPerSecond).toBeLessThanOrEqual(4);
    }
  });

  it('lets nothing out while there is no credit', () => {
    expect(new LogWindow(0).bytes).toBe(0);
  });
});
