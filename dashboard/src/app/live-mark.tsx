/**
 * Whether what is shown is live: live, reconnecting (and since when it is stale), offline, signed out.
 *
 * The live socket says it. While it cannot connect, whether the API still answers tells "no live updates" from "nobody there".
 */
import { useQuery } from '@tanstack/react-query';
import { asProblem } from '../api/problem.ts';
import { useLiveStatus } from '../live/hooks.ts';
import { useNow } from '../ui/clock.ts';
import { formatDuration } from '../ui/format.ts';
import { StateMark } from '../ui/state-mark.tsx';
import { whoami } from './session.ts';

/** A break shorter than this is not worth a word, ms. */
const patienceMs = 1_500;

export function LiveMark() {
  const { state, since, why } = useLiveStatus();
  const { failureReason } = useQuery({ ...whoami, refetchInterval: state === 'live' ? false : 5_000 });
  const away = failureReason !== null && asProblem(failureReason).code === 'network';
  const now = useNow();
  const stale = Math.max(0, Math.floor((now - since) / 1000));
  return (
    <span role="status" aria-live="polite">
      {state === 'off' ? null : state === 'live' || (state !== 'refused' && now - since < patienceMs && !away) ? (
        <StateMark tone="succeeded" title="Changes are shown as they happen.">
          live
        </StateMark>
      ) : away ? (
        <StateMark tone="failed" title={why ?? undefined}>
          offline, {formatDuration(stale)} old
        </StateMark>
      ) : state === 'refused' ? (
        <StateMark tone="unknown" title={why ?? undefined}>
          not live
        </StateMark>
      ) : (
        <StateMark tone="stopping" title={why ?? undefined}>
          reconnecting, {formatDuration(stale)} old
        </StateMark>
      )}
    </span>
  );
}
