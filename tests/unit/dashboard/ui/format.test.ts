import { describe, expect, it } from 'vitest';
import {
  formatBytes,
  formatDuration,
  formatEnergy,
  formatInstant,
  formatNumber,
  formatRelative,
  formatScaled,
  formatUsd,
} from '../../../../dashboard/src/ui/format.ts';

const s = '\u2009';

describe('numbers', () => {
  it.each([
    [0, '0'],
    [1.23456, '1.235'],
    [999.96, '1000'],
    [1234, '1234'],
    [12_345, `12${s}345`],
    [1_234_567.8, `1${s}234${s}568`],
    [-0.5, '-0.5'],
    [0.0000004, '< 0.001'],
    [Number.NaN, '–'],
  ])('%d is written %s', (value, text) => {
    expect(formatNumber(value)).toBe(text);
  });

  it('take the prefix of their size', () => {
    expect(formatScaled(1_250, 'W')).toBe(`1.25${s}kW`);
    expect(formatBytes(1_610_612_736)).toBe(`1.5${s}GiB`);
    expect(formatEnergy(0.25)).toBe(`250${s}Wh`);
    expect(formatEnergy(1_500)).toBe(`1.5${s}MWh`);
  });
});

describe('dollars', () => {
  it.each([
    ['0.000000', '$0.00'],
    ['1.250000', '$1.25'],
    ['1234567.891000', '$1,234,567.89'],
    ['0.013000', '$0.013'],
    ['0.000001', '$0.000001'],
    ['-2.500000', '−$2.50'],
  ])('%s are written %s, and nothing that costs is nothing', (wire, text) => {
    expect(formatUsd(wire)).toBe(text);
  });
});

describe('durations', () => {
  it.each([
    [0.25, `250${s}ms`],
    [9.96, `10${s}s`],
    [59.4, `59${s}s`],
    [65, `1${s}m 05${s}s`],
    [3_840, `1${s}h 04${s}m`],
    [200_000, `2${s}d 07${s}h`],
    [-3, `0${s}ms`],
  ])('%d seconds are %s', (seconds, text) => {
    expect(formatDuration(seconds)).toBe(text);
  });
});

describe('instants', () => {
  const now = Date.parse('2026-11-22T12:00:00Z');

  it.each([
    [now - 2_000, 'just now'],
    [now - 30_000, '30 s ago'],
    [now - 200_000, '3 min ago'],
    [now - 7_300_000, '2 h ago'],
    [now - 5 * 86_400_000, '5 d ago'],
    [now + 3_700_000, 'in 1 h'],
  ])('are told by how long ago they are', (at, text) => {
    expect(formatRelative(at, now)).toBe(text);
  });

  it('are whole and say their zone', () => {
    expect(formatInstant(now, 'utc')).toBe('2026-11-22 12:00:00 UTC');
  });
});
