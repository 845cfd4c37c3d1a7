/**
 * The rows of a filter: pages that are loaded as one scrolls, rows patched in place as they change, new ones counted but not
 * put in (what one is about to click must not move).
 */
import { type InfiniteData, useInfiniteQuery, useQueryClient } from '@tanstack/react-query';
import { useCallback, useMemo, useState } from 'react';
import type { Job, Output } from '../../api/contract.ts';
import { notOvertaken } from '../../api/overtaken.ts';
import { request } from '../../api/request.ts';
import { useLiveJobs, useLiveStatus } from '../../live/hooks.ts';
import { patchJobs } from '../../live/patch.ts';
import { countsFresh, type Filters, filterQuery, type JobsQuery } from './filters.ts';

/** Rows of a page. */
const pageSize = 100;
/** Without the live connection the loaded rows are read again so often, as long as they are few, ms. */
const polledMs = 8_000;
const mostPolledPages = 3;

type Pages = InfiniteData<Output<'GET /v1/jobs'>, string | null>;

export function useJobs(filters: Filters) {
  const cache = useQueryClient();
  const { state } = useLiveStatus();
  const [visible, setVisible] = useState<readonly string[]>([]);
  // "The last hour" is that before the list was opened or read anew, or every page would be of another hour.
  const [openedAt, setOpenedAt] = useState(Date.now);
  const query = useMemo(() => filterQuery(filters, openedAt), [filters, openedAt]);
  const queryKey = ['GET /v1/jobs', 'pages', query] as const;
  const jobs = useInfiniteQuery({
    queryKey,
    queryFn: ({ pageParam, signal }) =>
      notOvertaken({ client: cache, queryKey }, () =>
        request(
          'GET /v1/jobs',
          { query: { ...query, limit: pageSize, ...(pageParam !== null && { cursor: pageParam }) } },
          { signal },
        ),
      ),
    initialPageParam: null as string | null,
    getNextPageParam: ({ nextCursor }) => nextCursor,
    refetchInterval: ({ state: { data } }) =>
      state === 'live' || (data?.pages.length ?? 0) > mostPolledPages ? false : polledMs,
    refetchOnWindowFocus: false,
  });
  const { data, refetch } = jobs;
  const rows = useMemo(() => data?.pages.flatMap(({ items }) => items) ?? [], [data]);
  const { fresh } = useLiveJobs(liveParams(query), visible, (changed) =>
    cache.setQueryData<Pages>(queryKey, (held) => held && patchPages(held, changed)),
  );
  // The connection counts on until its next snapshot; what was asked for is no news any more.
  const [taken, setTaken] = useState(0);
  if (fresh < taken) setTaken(fresh);
  /** Reads the list anew from its beginning. */
  const refresh = useCallback(() => {
    setTaken(fresh);
    setOpenedAt(Date.now());
    cache.setQueryData<Pages>(queryKey, (held) => held && { pages: held.pages.slice(0, 1), pageParams: [null] });
    void refetch();
  }, [cache, queryKey, refetch, fresh]);
  return {
    jobs,
    query,
    rows,
    visible,
    setVisible,
    fresh: countsFresh(filters) ? Math.max(0, fresh - taken) : 0,
    refresh,
  };
}

/** What the live connection is told of the filter; it knows neither times nor whose jobs are mine. */
function liveParams({ mine: _mine, from: _from, to: _to, limit: _limit, cursor: _cursor, ...rest }: JobsQuery) {
  return rest as Omit<Parameters<typeof useLiveJobs>[0] & object, never>;
}

function patchPages(held: Pages, changed: Parameters<typeof patchJobs<Job>>[1]): Pages {
  const pages = held.pages.map((page) => {
    const items = patchJobs<Job>(page.items, changed);
    return items === page.items ? page : { ...page, items: [...items] };
  });
  return pages.every((page, index) => page === held.pages[index]) ? held : { ...held, pages };
}
