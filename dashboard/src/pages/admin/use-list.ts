/** A list of the API page by page, as a panel and a table take it. */
import { useInfiniteQuery } from '@tanstack/react-query';
import type { GetEndpoint, Item, Output } from '../../api/contract.ts';
import { request } from '../../api/request.ts';
import type { QueryLike } from '../../ui/panel-state.ts';

/** Endpoints that list, without parameters in their path. */
export type ListEndpoint = {
  [E in GetEndpoint]: Output<E> extends { items: readonly unknown[]; nextCursor: string | null }
    ? E extends `${string}:${string}`
      ? never
      : E
    : never;
}[GetEndpoint];

export interface List<Row> extends QueryLike<readonly Row[]> {
  readonly hasMore: boolean;
  readonly loadingMore: boolean;
  more(): void;
}

const pageSize = 50;

/**
 * @param filters of the endpoint's query
 * @param refreshMs how often to read the rows that are there again, by what they are; false: not by itself
 */
export function useList<E extends ListEndpoint>(
  endpoint: E,
  filters: Readonly<Record<string, string | undefined>> = {},
  refreshMs: (rows: readonly Item<E>[]) => number | false = () => false,
): List<Item<E>> {
  type Page = { readonly items: readonly Item<E>[]; readonly nextCursor: string | null };
  const query = useInfiniteQuery({
    queryKey: [endpoint, 'list', filters],
    initialPageParam: undefined as string | undefined,
    queryFn: ({ pageParam, signal }) =>
      (request as unknown as (e: E, input: unknown, options: unknown) => Promise<Page>)(
        endpoint,
        { query: { limit: pageSize, cursor: pageParam, ...filters } },
        { signal },
      ),
    getNextPageParam: (page) => page.nextCursor ?? undefined,
    refetchInterval: ({ state: { data } }) => refreshMs(data?.pages.flatMap(({ items }) => items) ?? []),
  });
  return {
    data: query.data?.pages.flatMap(({ items }) => items),
    error: query.error,
    isPending: query.isPending,
    failureCount: query.failureCount,
    failureReason: query.failureReason,
    dataUpdatedAt: query.dataUpdatedAt,
    refetch: () => query.refetch(),
    hasMore: query.hasNextPage,
    loadingMore: query.isFetchingNextPage,
    more: () => void query.fetchNextPage(),
  };
}
