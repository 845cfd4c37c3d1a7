/**
 * Overview: what runs, waits and failed, what it costs, how full the fleet is, my last jobs; and, while there is nothing yet,
 * what to do first.
 */
import { useQuery } from '@tanstack/react-query';
import { read } from '../../api/queries.ts';
import page from '../../app/page.module.css';
import { Panel } from '../../ui/panel.tsx';
import { Figures, FiguresSkeleton } from './figures.tsx';
import { LastJobs } from './last-jobs.tsx';
import { Onboarding } from './onboarding.tsx';
import classes from './overview.module.css';
import { useLiveOverview } from './use-overview.ts';

export function Page() {
  const overview = useLiveOverview();
  const anyJob = useQuery(read('GET /v1/jobs', { query: { limit: 1 } }));
  const isNew = anyJob.data?.items.length === 0;
  return (
    <div className={`${page.page} ${classes.page}`}>
      <h1>Overview</h1>
      <Panel bare query={overview} skeleton={<FiguresSkeleton />}>
        {(figures) => <Figures figures={figures} />}
      </Panel>
      {isNew ? <Onboarding figures={overview.data} /> : <LastJobs />}
    </div>
  );
}
