/** TanStack Query over the contract table: keys, retries and refreshes are decided here, once. */
import { QueryClient, queryOptions } from '@tanstack/react-query';
import type { GetEndpoint, Input, Output } from './contract.ts';
import { notOvertaken } from './overtaken.ts';
import { asProblem, isPassing } from './problem.ts';
import { request } from './request.ts';

/** Key of an endpoint's answers: `['GET /v1/jobs', input]`; the first part alone names all of them. */
export type ApiKey<E extends GetEndpoint> = readonly [E, Input<E> | Record<string, never>];

type Arguments<E extends GetEndpoint> = object extends Input<E> ? [input?: Input<E>] : [input: Input<E>];

/** Options of `useQuery` for a read. */
export function read<E extends GetEndpoint>(endpoint: E, ...[input]: Arguments<E>) {
  return queryOptions<Output<E>, Error, Output<E>, ApiKey<E>>({
    queryKey: [endpoint, input ?? {}],
    queryFn: (context) =>
      notOvertaken(context, () =>
        (request as (endpoint: E, input: unknown, options: { signal: AbortSignal }) => Promise<Output<E>>)(
          endpoint,
          input,
          { signal: context.signal },
        ),
      ),
  });
}

/** Makes the page's cache. A passing failure is asked again three times; what the server refused is not. */
export function createQueryClient(): QueryClient {
  return new QueryClient({
    defaultOptions: {
      queries: {
        staleTime: 5_000,
        gcTime: 300_000,
        refetchOnWindowFocus: true,
        // Requests go out also while the browser thinks itself offline: the server may be on this very machine.
        networkMode: 'always',
        retry: (failures, error) => failures < 3 && isPassing(asProblem(error)),
        retryDelay: (failures, error) => {
          const wait = Math.min(8_000, 400 * 2 ** failures) * (0.5 + Math.random() / 2);
          return Math.max(wait, (asProblem(error).retryAfterSeconds ?? 0) * 1000);
        },
      },
      mutations: { networkMode: 'always', retry: false },
    },
  });
}
