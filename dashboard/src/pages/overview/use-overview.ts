/** The figures, kept up to date by the live connection; without one they are asked for every few seconds. */
import { useQuery, useQueryClient } from '@tanstack/react-query';
import type { Output } from '../../api/contract.ts';
import { read } from '../../api/queries.ts';
import { useLive, useLiveStatus } from '../../live/hooks.ts';

export type Overview = Output<'GET /v1/overview'>;

/** Between asking, ms: without the live connection, and with it (what it does not carry, like the price of what runs). */
const polledMs = 5_000;
const liveMs = 30_000;

export function useLiveOverview() {
  const cache = useQueryClient();
  const { state } = useLiveStatus();
  const options = read('GET /v1/overview');
  const put = (fields: Partial<Overview>) =>
    cache.setQueryData<Overview>(options.queryKey, (held) => (held === undefined ? held : { ...held, ...fields }));
  useLive('overview', {}, { onSnapshot: put, onDelta: ({ fields }) => fields && put(fields) });
  return useQuery({ ...options, refetchInterval: state === 'live' ? liveMs : polledMs });
}
