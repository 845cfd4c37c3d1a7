/** How a rank's end is told to the control plane, from what its supervisor wrote or could not write. */
import type { RankReport } from '../../common/contract/agent/protocol.ts';
import type { Status } from './supervisor/index.ts';

export type RankEnd = NonNullable<RankReport['end']>;

export const supervisorLost: RankEnd = {
  reason: 'supervisor-lost',
  exitCode: null,
  signal: null,
  message: 'Its supervisor died (the machine restarted, or something killed it), and the job with it.',
};

/** The end that a supervisor recorded. */
export function endOf(status: Status): RankEnd {
  const { reason, exitCode, signal, message } = status;
  return { reason: reason ?? 'supervisor-lost', exitCode, signal, message };
}
