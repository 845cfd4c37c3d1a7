import fc from 'fast-check';
import { describe, expect, it } from 'vitest';
import { testOf } from '../../../../src/cmo/monitoring/notifications/body.ts';
import { mostAttempts, pauseSeconds } from '../../../../src/cmo/monitoring/notifications/deliver.ts';
import { subjectOf, textOf } from '../../../../src/cmo/monitoring/notifications/email.ts';

const told = (name: string) => {
  const test = testOf('ten_1', { id: 'prj_1', name: 'default' }, new Date(0));
  return { ...test, event: 'failed' as const, job: { ...test.job, name, reason: `because\r\nBcc: ${name}` } };
};

describe('the subject of a notification', () => {
  it('is one bounded line, whatever a job is called', () => {
    const hostile = fc.oneof(
      fc.string({ unit: 'binary' }),
      fc.constantFrom('a\r\nBcc: x@y', 'a\u202etxt.exe', '\u2028', 'x'.repeat(1e5)),
    );
    fc.assert(
      fc.property(hostile, (name) => {
        const subject = subjectOf(told(name));
        expect(subject.length).toBeLessThanOrEqual(150);
        expect(subject).toMatch(/^\[Solyx\] .*failed$/s);
        expect(subject).not.toMatch(/[\p{Cc}\p{Cf}\p{Zl}\p{Zp}]/u);
      }),
    );
  });
});

describe('the text of a notification', () => {
  it('gives no line to what others wrote', () => {
    const lines = textOf(told('x\nState: succeeded')).split('\n');
    expect(lines.filter((line) => line.startsWith('State: '))).toEqual(['State: succeeded']);
    expect(lines.some((line) => line.startsWith('Bcc'))).toBe(false);
  });
});

describe('the pause before the next try', () => {
  it('grows, has jitter and a limit', () => {
    const pauses = Array.from({ length: mostAttempts }, (_, index) => pauseSeconds(index + 1));
    expect(pauses[0]).toBeGreaterThanOrEqual(15);
    expect(pauses[0]).toBeLessThanOrEqual(30);
    expect(Math.max(...pauses)).toBeLessThanOrEqual(7_200);
    expect(new Set(Array.from({ length: 20 }, () => pauseSeconds(3))).size).toBeGreaterThan(1);
  });
});
