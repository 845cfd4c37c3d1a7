/**
 * Whether what is shown is live. Without a live connection the pages ask again every few seconds; what matters to a person
 * is only whether the answers come.
 */
import { useQuery } from '@tanstack/react-query';
import { asProblem } from '../api/problem.ts';
import { StateMark } from '../ui/state-mark.tsx';
import { whoami } from './session.ts';

export function LiveMark() {
  const { failureReason } = useQuery({ ...whoami, refetchInterval: 15_000 });
  const away = failureReason !== null && asProblem(failureReason).code === 'network';
  return (
    <span role="status">
      {away ? <StateMark tone="failed">offline</StateMark> : <StateMark tone="succeeded">connected</StateMark>}
    </span>
  );
}
