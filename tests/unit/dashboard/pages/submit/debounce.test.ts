import { afterEach, beforeEach, describe, expect, it, vi } from 'vitest';
import { askLatest } from '../../../../../dashboard/src/pages/submit/spec/debounce.ts';

beforeEach(() => {
  vi.useFakeTimers();
});
afterEach(() => {
  vi.useRealTimers();
});

describe('asking while somebody types', () => {
  it('asks once, with the newest question, after a pause', async () => {
    const asked: string[] = [];
    const latest = askLatest(async (question: string) => void asked.push(question), 250);
    for (const question of ['a', 'ab', 'abc']) {
      latest.ask(question);
      await vi.advanceTimersByTimeAsync(100);
    }
    expect(asked).toEqual([]);
    await vi.advanceTimersByTimeAsync(150);
    expect(asked).toEqual(['abc']);
  });

  it('aborts what was under way when a newer question comes', async () => {
    const signals: AbortSignal[] = [];
    const latest = askLatest((_question: string, signal) => {
      signals.push(signal);
      return new Promise<void>(() => {});
    }, 250);
    latest.ask('a');
    await vi.advanceTimersByTimeAsync(250);
    latest.ask('b');
    expect(signals[0]!.aborted).toBe(true);
    await vi.advanceTimersByTimeAsync(250);
    expect(signals[1]!.aborted).toBe(false);
    latest.stop();
    expect(signals[1]!.aborted).toBe(true);
  });

  it('asks nothing after it was stopped', async () => {
    let asked = 0;
    const latest = askLatest(async () => {
      asked += 1;
    }, 250);
    latest.ask('a');
    latest.stop();
    await vi.advanceTimersByTimeAsync(1_000);
    expect(asked).toBe(0);
  });
});
