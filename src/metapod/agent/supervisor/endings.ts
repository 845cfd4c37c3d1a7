/**
 * Decides when a job must end, and how hard.
 *
 * Pure: facts in, ending out. All times are seconds of `os.uptime()`, which counts through suspend and which
 * nobody can set back. The first reason to end stays the reason; a later one can only bring the kill forward.
 * For a lost connection the grace lies inside the time that was promised: the successor may start
 * `stopAfter + 30 s` after the last acknowledged heartbeat, so nothing of this attempt may live past `stopAfter`.
 */
import type { EndReason, Launch, StopRequest } from './files.ts';

export interface Ending {
  reason: EndReason;
  message: string;
  /** When SIGKILL follows, uptime seconds. */
  killAtSeconds: number;
}

export interface Facts {
  startedSeconds: number;
  /** Sending of the last acknowledged heartbeat, uptime seconds; null when the agent wrote none: then the start counts. */
  leaseSeconds: number | null;
  stop: StopRequest | null;
  memoryExceeded: boolean;
  diskExceeded: boolean;
}

type Rules = Pick<Launch, 'timeoutSeconds' | 'graceSeconds' | 'onDisconnect' | 'limits'>;

/** @returns the ending that holds at `now`; null while the job may run on */
export function decideEnding(current: Ending | null, rules: Rules, facts: Facts, now: number): Ending | null {
  let ending = current;
  for (const next of candidates(rules, facts, now)) {
    if (ending === null) ending = next;
    else if (next.killAtSeconds < ending.killAtSeconds) ending = { ...ending, killAtSeconds: next.killAtSeconds };
  }
  return ending;
}

function candidates(rules: Rules, facts: Facts, now: number): Ending[] {
  const found: Ending[] = [];
  if (facts.memoryExceeded) {
    const message = `used more memory than its limit of ${rules.limits.memoryBytes} bytes`;
    found.push({ reason: 'out-of-memory', message, killAtSeconds: now });
  }
  if (facts.diskExceeded) {
    const message = `wrote more to disk than its limit of ${rules.limits.diskBytes} bytes`;
    found.push({ reason: 'disk-exceeded', message, killAtSeconds: now });
  }
  if (facts.stop !== null) {
    found.push({
      reason: 'stopped',
      message: facts.stop.why,
      killAtSeconds: now + Math.max(0, facts.stop.graceSeconds),
    });
  }
  if (rules.timeoutSeconds !== null && now >= facts.startedSeconds + rules.timeoutSeconds) {
    const message = `ran longer than its time-out of ${rules.timeoutSeconds} seconds`;
    found.push({ reason: 'timed-out', message, killAtSeconds: now + rules.graceSeconds });
  }
  if (rules.onDisconnect !== 'keep') {
    const { stopAfterSeconds } = rules.onDisconnect;
    // Also a heartbeat from before the start counts as it is: the control plane counts from it too.
    const heard = facts.leaseSeconds ?? facts.startedSeconds;
    const killAt = heard + stopAfterSeconds;
    if (now >= killAt - Math.min(rules.graceSeconds, stopAfterSeconds)) {
      const message = `no contact with the control plane for ${Math.round(now - heard)} seconds`;
      found.push({ reason: 'disconnected', message, killAtSeconds: killAt });
    }
  }
  return found;
}
