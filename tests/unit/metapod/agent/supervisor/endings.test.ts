import fc from 'fast-check';
import { describe, expect, it } from 'vitest';
import { decideEnding, type Ending, type Facts } from '../../../../../src/metapod/agent/supervisor/endings.ts';
import type { Launch } from '../../../../../src/metapod/agent/supervisor/files.ts';
import { explain } from '../../../../../src/metapod/agent/supervisor/supervise.ts';

const limits: Launch['limits'] = { cpuMilli: 1, memoryBytes: 10, diskBytes: 20, sharedMemoryBytes: 1, pids: 1 };
const rules = (change: Partial<Launch> = {}) => ({
  timeoutSeconds: null,
  graceSeconds: 10,
  onDisconnect: 'keep' as Launch['onDisconnect'],
  limits,
  ...change,
});
const facts = (change: Partial<Facts> = {}): Facts => ({
  startedSeconds: 100,
  leaseSeconds: null,
  stop: null,
  memoryExceeded: false,
  diskExceeded: false,
  ...change,
});

describe('deciding that a job must end', () => {
  it('leaves a job alone that keeps to its limits', () => {
    expect(decideEnding(null, rules({ timeoutSeconds: 50 }), facts(), 149)).toBeNull();
  });

  it('gives a grace for a time-out and a stop, none for memory and disk', () => {
    expect(decideEnding(null, rules({ timeoutSeconds: 50 }), facts(), 150)).toMatchObject({
      reason: 'timed-out',
      killAtSeconds: 160,
    });
    const stop = { why: 'cancelled', graceSeconds: 3 };
    expect(decideEnding(null, rules(), facts({ stop }), 150)).toEqual({
      reason: 'stopped',
      message: 'cancelled',
      killAtSeconds: 153,
    });
    expect(decideEnding(null, rules(), facts({ memoryExceeded: true }), 150)).toMatchObject({
      reason: 'out-of-memory',
      killAtSeconds: 150,
    });
    expect(decideEnding(null, rules(), facts({ diskExceeded: true }), 150)).toMatchObject({
      reason: 'disk-exceeded',
      killAtSeconds: 150,
    });
  });

  it('counts a lost connection from the last acknowledged heartbeat, also one before the start', () => {
    const disconnect = rules({ onDisconnect: { stopAfterSeconds: 60 } });
    expect(decideEnding(null, disconnect, facts({ leaseSeconds: 90 }), 139)).toBeNull();
    expect(decideEnding(null, disconnect, facts({ leaseSeconds: 90 }), 140)).toMatchObject({
      reason: 'disconnected',
      killAtSeconds: 150,
    });
  });

  it('keeps the first reason while a later one brings the kill forward', () => {
    const first = decideEnding(null, rules(), facts({ stop: { why: 'moved', graceSeconds: 100 } }), 150);
    const second = decideEnding(first, rules(), facts({ memoryExceeded: true }), 151);
    expect(second).toEqual({ reason: 'stopped', message: 'moved', killAtSeconds: 151 });
  });

  it('never lets anything live past stopAfter, whatever else happens and however clocks are read', () => {
    const seconds = fc.integer({ min: 0, max: 1000 });
    fc.assert(
      fc.property(seconds, seconds, seconds, fc.array(seconds, { minLength: 1 }), (stopAfter, grace, lease, times) => {
        let ending: Ending | null = null;
        const disconnect = rules({
          graceSeconds: grace,
          onDisconnect: { stopAfterSeconds: stopAfter },
          timeoutSeconds: 77,
        });
        for (const now of times.sort((a, b) => a - b)) {
          const stop = now % 2 === 0 ? { why: 'x', graceSeconds: 500 } : null;
          ending = decideEnding(ending, disconnect, facts({ startedSeconds: 0, leaseSeconds: lease, stop }), now);
          if (now >= lease + stopAfter) expect(ending?.killAtSeconds).toBeLessThanOrEqual(now);
        }
      }),
    );
  });
});

describe('explaining an end', () => {
  const exit = (code: number | null, signal: NodeJS.Signals | null = null) => ({ code, signal });

  it('tells exit, signal, memory and our own doing apart', () => {
    expect(explain(exit(3), null, false, null).reason).toBe('exited');
    expect(explain(exit(null, 'SIGSEGV'), null, false, null).reason).toBe('signalled');
    expect(explain(exit(null, 'SIGKILL'), null, true, null).reason).toBe('out-of-memory');
    expect(explain(exit(1), null, true, null).reason).toBe('out-of-memory');
    expect(explain(exit(0), null, true, null).reason).toBe('exited');
    expect(explain(exit(0), { reason: 'stopped', message: '' }, false, null).reason).toBe('stopped');
    const late = explain(exit(null, 'SIGKILL'), { reason: 'timed-out', message: 'ran for 9 s' }, true, null);
    expect([late.reason, late.message]).toEqual(['timed-out', expect.stringMatching(/^ran for 9 s; .*memory/)]);
    expect(explain(exit(127), null, false, 'command not found: x')).toEqual({
      reason: 'start-failed',
      message: 'command not found: x',
    });
  });
});
