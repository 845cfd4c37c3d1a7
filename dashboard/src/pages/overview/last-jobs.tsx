/** The newest jobs: mine, or everybody's of the tenant. */
import { useQuery, useQueryClient } from '@tanstack/react-query';
import { Link } from '@tanstack/react-router';
import { useEffect } from 'react';
import type { Job, Output } from '../../api/contract.ts';
import { read } from '../../api/queries.ts';
import { oneOf, usePreference } from '../../app/preference.ts';
import { useLiveJobs, useLiveStatus } from '../../live/hooks.ts';
import { patchJobs } from '../../live/patch.ts';
import { Choice } from '../../ui/choice.tsx';
import type { Column } from '../../ui/data-table.tsx';
import { Panel } from '../../ui/panel.tsx';
import { SimpleTable } from '../../ui/simple-table.tsx';
import { JobStateMark } from '../../ui/state-mark.tsx';
import { Duration, Time } from '../../ui/time.tsx';

const accept = oneOf('mine', 'all');
const shown = 6;
const polledMs = 5_000;

const columns: readonly Column<Job>[] = [
  {
    id: 'name',
    header: 'Job',
    width: 'minmax(160px, 2fr)',
    primary: true,
    cell: (job) => (
      <Link to="/jobs/$id" params={{ id: job.id }}>
        {job.name}
      </Link>
    ),
  },
  { id: 'state', header: 'State', width: 'minmax(150px, 1fr)', cell: (job) => <JobStateMark job={job} /> },
  {
    id: 'time',
    header: 'Ran for',
    align: 'end',
    cell: (job) => (job.startedAt === null ? '–' : <Duration from={job.startedAt} to={job.endedAt} />),
  },
  { id: 'submitted', header: 'Submitted', align: 'end', cell: (job) => <Time at={job.submittedAt} /> },
];
const rowId = (job: Job) => job.id;

export function LastJobs() {
  const [whose, setWhose] = usePreference<'mine' | 'all'>('overview.jobs', accept, 'mine');
  const cache = useQueryClient();
  const { state } = useLiveStatus();
  const options = read('GET /v1/jobs', { query: { limit: shown, ...(whose === 'mine' && { mine: true }) } });
  const query = useQuery({ ...options, refetchInterval: state === 'live' ? false : polledMs });
  const { refetch } = query;
  const ids = (query.data?.items ?? []).map(rowId);
  const { fresh } = useLiveJobs({}, ids, (jobs) =>
    cache.setQueryData<Output<'GET /v1/jobs'>>(options.queryKey, (held) =>
      held === undefined ? held : { ...held, items: [...patchJobs(held.items, jobs)] },
    ),
  );
  useEffect(() => {
    if (fresh > 0) void refetch();
  }, [fresh, refetch]);
  return (
    <Panel
      title={whose === 'mine' ? 'My last jobs' : 'Last jobs'}
      query={query}
      skeleton={shown}
      isEmpty={({ items }) => items.length === 0}
      empty={{
        why: 'You have submitted no job yet; others of your tenant have.',
        action: <Link to="/jobs">Show all jobs</Link>,
      }}
      actions={
        <>
          <Choice
            label="Whose jobs"
            value={whose}
            options={[
              { value: 'mine', label: 'Mine' },
              { value: 'all', label: 'Everybody’s' },
            ]}
            onChange={setWhose}
          />
          <Link to="/jobs" search={whose === 'mine' ? { mine: 'true' } : {}}>
            All jobs
          </Link>
        </>
      }
    >
      {({ items }) => <SimpleTable label="Last jobs" columns={columns} rows={items} rowId={rowId} />}
    </Panel>
  );
}
