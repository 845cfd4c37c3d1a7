import fc from 'fast-check';
import { describe, expect, it } from 'vitest';
import { parseMetricLine } from '../../../../../src/metapod/agent/metrics/metric-line.ts';

const values = (line: string) => Object.fromEntries(parseMetricLine(line)?.values ?? [['none', 0]]);

describe('a line of metrics', () => {
  it('is a JSON object with a whole step; its numbers are values', () => {
    expect(parseMetricLine(' {"step": 12, "loss": 0.5, "rate": 1e-3}\r')).toEqual({
      step: 12,
      at: undefined,
      values: [
        ['loss', 0.5],
        ['rate', 0.001],
      ],
      ignored: 0,
    });
  });

  it.each([
    'step 3 loss 0.5',
    '{"loss": 0.5}',
    '{"step": "3", "loss": 0.5}',
    '{"step": 1.5, "loss": 0.5}',
    '{"step": -1, "loss": 0.5}',
    '{"step": 1e300, "loss": 0.5}',
    '{"step": null, "loss": 0.5}',
    '{"step": 3}',
    '{"step": 3, "note": "fine", "ok": true, "nested": {"loss": 1}, "list": [1]}',
    '[{"step": 3, "loss": 0.5}]',
    '{"step": 3, "loss": 0.5',
    'x {"step": 3, "loss": 0.5}',
    '{"level":30,"time":1767225600000,"pid":7,"step":3,"msg":"a logger of somebody else"}',
    '{}',
    '',
  ])('is not %s', (line) => {
    expect(parseMetricLine(line)).toBeUndefined();
  });

  it('has a gap where Python wrote NaN or Infinity, JavaScript null, or a number is too large', () => {
    expect(values('{"step": 1, "loss": NaN, "a": Infinity,"b":-Infinity, "c": null, "d": 1e400, "e": -1e295}')).toEqual(
      {
        loss: null,
        a: null,
        b: null,
        c: null,
        d: null,
        e: null,
      },
    );
    expect(values('{"step": 1, "text": "a \\" NaN, -Infinity", "loss": NaN}')).toEqual({ loss: null });
  });

  it('has a time in seconds, milliseconds or ISO 8601, or none that makes sense', () => {
    const at = (time: string) => parseMetricLine(`{"step": 1, "loss": 1, ${time}}`)?.at;
    expect(at('"time": 1767225600.5')).toBe(1_767_225_600_500);
    expect(at('"timestamp": 1767225600500')).toBe(1_767_225_600_500);
    expect(at('"ts": "2026-01-01T00:00:00.500Z"')).toBe(1_767_225_600_500);
    for (const time of ['"time": "later"', '"time": -5', '"time": 1e300', '"time": NaN', '"other": 1']) {
      expect(at(time)).toBeUndefined();
    }
  });

  it('counts values whose names cannot be shown, and takes the rest', () => {
    const names = ['', 'a\\u0000b', 'a\\u202eb', '\\ud800', ' leading', 'x'.repeat(129), '\\u2028'];
    const line = `{"step": 1, "ok/é 1": 2, "__proto__": 3, ${names.map((name) => `"${name}": 1`).join(', ')}}`;
    expect(parseMetricLine(line)).toMatchObject({
      values: [
        ['ok/é 1', 2],
        ['__proto__', 3],
      ],
      ignored: names.length,
    });
  });

  it('is taken or left at once, however it is made to be slow to read', () => {
    const slow = `{"step": 1, "loss": NaN, "text": ${'"\\"'.repeat(15_000)} }`;
    const began = performance.now();
    parseMetricLine(slow);
    parseMetricLine(slow.repeat(100));
    expect(performance.now() - began).toBeLessThan(1_000);
  });

  it('never throws, and gives only what a frame may carry', () => {
    const anything = fc.oneof(
      fc.string(),
      fc.json(),
      fc.dictionary(fc.string(), fc.anything()).map((value) => {
        try {
          return JSON.stringify({ ...value, step: 3 }) ?? '';
        } catch {
          return '';
        }
      }),
      fc.dictionary(fc.string(), fc.double()).map((value) => JSON.stringify({ ...value, step: 7 })),
    );
    fc.assert(
      fc.property(anything, (line) => {
        for (const [name, value] of parseMetricLine(line)?.values ?? []) {
          expect(name.length).toBeLessThanOrEqual(128);
          expect(value === null || Math.abs(value) <= 1e290).toBe(true);
        }
      }),
    );
  });
});
