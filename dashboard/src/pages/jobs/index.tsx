/** Jobs: find them, watch them, act on many. */
import { Button } from '@mantine/core';
import { Link, useNavigate, useSearch } from '@tanstack/react-router';
import { lazy, Suspense, useCallback, useEffect, useMemo, useRef, useState } from 'react';
import type { Job } from '../../api/contract.ts';
import { pageLoader } from '../../app/nouns.ts';
import type { Search } from '../../app/search.ts';
import { useSession } from '../../app/session.ts';
import { DataTable } from '../../ui/data-table.tsx';
import { Panel } from '../../ui/panel.tsx';
import { columns } from './columns.tsx';
import { emptyText } from './empty.tsx';
import { ExportMenu } from './export-menu.tsx';
import { FilterBar } from './filter-bar.tsx';
import { type Filters, filterSearch, noFilters, parseFilters } from './filters.ts';
import classes from './jobs.module.css';
import { SavedViews } from './saved-views.tsx';
import { useJobs } from './use-jobs.ts';
import { UsageContext, useUsage } from './use-usage.ts';
import { useLook, ViewMenu } from './view-menu.tsx';

// Dialogs are loaded when something is chosen.
const BulkBar = lazy(() => import('./bulk-bar.tsx'));

const rowId = (job: Job) => job.id;
const rowName = (job: Job) => job.name;

export function Page() {
  const search = useSearch({ strict: false }) as Search;
  const text = JSON.stringify(search);
  // biome-ignore lint/correctness/useExhaustiveDependencies: the same address means the same filters
  const filters = useMemo(() => parseFilters(search), [text]);
  const navigate = useNavigate();
  const { can } = useSession();
  const setFilters = useCallback(
    (next: Filters) => void navigate({ to: '/jobs', search: filterSearch(next), replace: true }),
    [navigate],
  );
  const { jobs, query, rows, visible, setVisible, fresh, refresh } = useJobs(filters);
  const look = useLook();
  const usage = useUsage(rows, visible, look.hidden);
  const [chosen, setChosen] = useState<ReadonlySet<string>>(new Set());
  const top = useRef<HTMLDivElement>(null);
  // biome-ignore lint/correctness/useExhaustiveDependencies: other filters, other rows: what was chosen is not seen any more
  useEffect(() => setChosen(new Set()), [text]);
  const { fetchNextPage, hasNextPage, isFetchingNextPage } = jobs;
  const onMore = useCallback(() => void fetchNextPage(), [fetchNextPage]);
  const selection = useMemo(() => (can('member') ? { chosen, onChange: setChosen } : undefined), [can, chosen]);
  const showNew = () => {
    refresh();
    top.current?.querySelector('[role=grid]')?.scrollTo({ top: 0 });
  };
  return (
    <div className={classes.page}>
      <header className={classes.head}>
        <h1>Jobs</h1>
        <div className={classes.actions}>
          <SavedViews filters={filters} />
          <ViewMenu look={look} />
          <ExportMenu query={query} />
          {pageLoader('submit') !== undefined && can('member') && (
            <Button component={Link} to="/submit" size="xs">
              Submit a job
            </Button>
          )}
        </div>
      </header>
      <FilterBar filters={filters} onChange={setFilters} />
      <div ref={top} className={classes.list}>
        {fresh > 0 && (
          <Button className={classes.fresh} size="compact-sm" radius="xl" onClick={showNew}>
            {fresh} new
          </Button>
        )}
        <UsageContext value={usage}>
          <Panel
            bare
            query={jobs}
            skeleton={12}
            isEmpty={({ pages }) => pages.every(({ items }) => items.length === 0)}
            empty={emptyText(filters, () => setFilters(noFilters))}
          >
            {() => (
              <DataTable
                label="Jobs"
                columns={columns}
                rows={rows}
                rowId={rowId}
                rowName={rowName}
                hidden={look.hidden}
                density={look.density}
                {...(selection && { selection })}
                hasMore={hasNextPage}
                loadingMore={isFetchingNextPage}
                onMore={onMore}
                onVisible={setVisible}
              />
            )}
          </Panel>
        </UsageContext>
      </div>
      {chosen.size > 0 && (
        <Suspense>
          <BulkBar rows={rows} chosen={chosen} onDone={() => setChosen(new Set())} />
        </Suspense>
      )}
    </div>
  );
}
