/** When the server is back, what failed meanwhile is asked for at once, not after the pause that each request took. */
import { useQueryClient } from '@tanstack/react-query';
import { useEffect } from 'react';
import { useLiveStatus } from '../live/hooks.ts';

export function useRecovery(): void {
  const cache = useQueryClient();
  const { state } = useLiveStatus();
  useEffect(() => {
    if (state !== 'live') return;
    void cache.refetchQueries({
      type: 'active',
      predicate: ({ state: { status, fetchFailureCount } }) => status === 'error' || fetchFailureCount > 0,
    });
  }, [cache, state]);
}
