/** How the end of a session reads. */
import type { ShellEnd } from './shell-session.ts';

const reasons: Readonly<Record<string, string>> = {
  lost: 'The connection was lost, and the shell ended with it. The job goes on; what you had started there may have ended.',
  channel_lost: 'The node closed the connection, or is gone, and the shell ended with it.',
  key_revoked: 'Your session or key was revoked, so the shell was ended.',
  forbidden: 'You may not open a shell in this job any more.',
  job_not_running: 'The part of the job that the shell was in does not run any more.',
  stale_token: 'The job runs in another attempt by now. A new shell goes there.',
  channel_timeout: 'The shell was idle or open for too long and was ended.',
  node_unreachable: 'The node of the job cannot be reached now.',
  node_too_old: 'The agent of the node is too old for shells.',
  terminal_unavailable: 'The node cannot make terminals.',
  not_ready: 'The server stopped, and the shell ended with it. The job goes on.',
  rate_limited: 'Too many shells, forwardings and copies are open.',
};

/** One or two sentences, and no promise that anything is taken up again. */
export function describeEnd(end: ShellEnd): string {
  if (end.kind === 'broken') {
    const reason = reasons[end.code] ?? 'The shell could not be opened or was ended.';
    return end.code === 'lost' || end.detail === '' ? reason : `${reason} ${end.detail}`;
  }
  if (end.signal === 'closed here')
    return 'You closed the shell. What ran in its foreground was ended; the job goes on.';
  if (end.signal !== null) return `The shell was ended by ${end.signal}. The job goes on.`;
  return `The shell ended with exit code ${end.code ?? 'unknown'}. The job goes on.`;
}
