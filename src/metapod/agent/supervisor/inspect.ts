/** How an attempt stands, read from its files by whichever agent is there now. */
import { readClaim } from './claim.ts';
import { readLaunch, readStatus, type Status } from './files.ts';
import { bootId, isAlive } from './process-identity.ts';

export interface Inspection {
  /**
   * `absent`: no supervisor ever owned it, so nothing ran and it may be started · `running`: its supervisor lives
   * (the job may still be starting) · `ended`: the end is recorded · `dead`: the supervisor died before it could
   * record an end; the job died with it, how is unknown, and it is never started again.
   */
  state: 'absent' | 'running' | 'ended' | 'dead';
  /** The last status written; null before the first. */
  status: Status | null;
}

/** Never fooled by a reused process number: number, start time and boot must all agree. */
export function inspectSupervisor(attemptDir: string): Inspection {
  const read = () => {
    const status = readStatus(attemptDir);
    return status.kind === 'ok' ? status.value : null;
  };
  const claim = readClaim(attemptDir);
  if (claim.kind === 'absent') {
    const status = read();
    if (status?.state === 'ended') return { state: 'ended', status };
    const launch = readLaunch(attemptDir);
    const earlierBoot = launch.kind === 'ok' && launch.value.bootId !== bootId();
    return { state: earlierBoot ? 'dead' : 'absent', status };
  }
  const alive = claim.kind === 'ok' && isAlive(claim.value);
  // Read after the look at the process: one that ended in between has written its end by now.
  const status = read();
  if (status?.state === 'ended') return { state: 'ended', status };
  return { state: alive ? 'running' : 'dead', status };
}
