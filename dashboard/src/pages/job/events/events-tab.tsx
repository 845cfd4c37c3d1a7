/** Every event of the job and its attempts, oldest first, with its data as it is kept. */
import { useInfiniteQuery } from '@tanstack/react-query';
import type { Item, JobDetail } from '../../../api/contract.ts';
import { request } from '../../../api/request.ts';
import { type Column, DataTable } from '../../../ui/data-table.tsx';
import { Panel } from '../../../ui/panel.tsx';
import { Time } from '../../../ui/time.tsx';
import { causeOf } from '../timeline/timeline.ts';
import { By } from '../timeline/timeline-panel.tsx';
import classes from './events.module.css';

type Event = Item<'GET /v1/jobs/:id/events'>;

export function Tab({ job }: { readonly job: JobDetail }) {
  const query = useInfiniteQuery({
    // The revision makes a new list when something has happened.
    queryKey: ['GET /v1/jobs/:id/events', { params: { id: job.id } }, job.revision],
    queryFn: ({ pageParam, signal }) =>
      request(
        'GET /v1/jobs/:id/events',
        { params: { id: job.id }, query: { limit: 200, ...(pageParam !== '' && { cursor: pageParam }) } },
        { signal },
      ),
    initialPageParam: '',
    getNextPageParam: ({ nextCursor }) => nextCursor,
    placeholderData: (before) => before,
  });
  return (
    <Panel
      title="Events"
      query={query}
      isEmpty={({ pages }) => pages.every(({ items }) => items.length === 0)}
      empty={{ why: 'No events are kept any more; old ones are deleted after a time.' }}
    >
      {({ pages }) => (
        <DataTable
          label="Events of the job"
          rows={pages.flatMap(({ items }) => items)}
          rowId={({ id }) => id}
          columns={columns}
          density="compact"
          maxHeight={640}
          hasMore={query.hasNextPage}
          loadingMore={query.isFetchingNextPage}
          onMore={() => void query.fetchNextPage()}
        />
      )}
    </Panel>
  );
}

const columns: readonly Column<Event>[] = [
  { id: 'at', header: 'When', width: '210px', cell: ({ at }) => <Time at={at} exact /> },
  { id: 'kind', header: 'Event', width: 'minmax(140px, 200px)', primary: true, cell: ({ kind }) => kind },
  { id: 'who', header: 'By', width: '170px', cell: ({ data }) => <By cause={causeOf(data.who)} /> },
  {
    id: 'data',
    header: 'Data',
    width: 'minmax(200px, 1fr)',
    cell: ({ data }) => {
      const { who: _, ...rest } = data;
      const text = JSON.stringify(rest);
      return (
        <code className={classes.data} title={text}>
          {text}
        </code>
      );
    },
  },
];
