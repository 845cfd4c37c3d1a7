/**
 * One job: what it is doing, why there, what it prints, what it costs, and what can be done about it.
 *
 * The tab is in the address, a line of the log in its fragment, so that what somebody sees can be sent to somebody else.
 */
import { Skeleton, Tabs } from '@mantine/core';
import '@mantine/core/styles/Tabs.layer.css';
import { Link, useLocation, useNavigate, useParams, useSearch } from '@tanstack/react-router';
import { lazy, type ReactNode, Suspense, useEffect, useRef } from 'react';
import type { JobDetail } from '../../api/contract.ts';
import { type Search, textOf } from '../../app/search.ts';
import { CopyId } from '../../ui/copy-id.tsx';
import { Panel } from '../../ui/panel.tsx';
import classes from './job.module.css';
import { JobHeader } from './job-header.tsx';
import { parseLineFragment } from './log/line-link.ts';
import { OverviewTab } from './overview-tab.tsx';
import { tabs } from './tabs.ts';
import { useJob } from './use-job.ts';

export function Page() {
  const { id } = useParams({ strict: false }) as { id: string };
  const query = useJob(id);
  return (
    <div className={classes.page}>
      {query.data === undefined && (
        <header>
          <p className={classes.crumbs}>
            <Link to="/jobs">Jobs</Link> / <CopyId id={id} />
          </p>
          <h1>Job</h1>
        </header>
      )}
      <Panel bare query={query} skeleton={8}>
        {(job) => <JobPage key={job.id} job={job} />}
      </Panel>
    </div>
  );
}

function JobPage({ job }: { readonly job: JobDetail }) {
  const search = useSearch({ strict: false }) as Search;
  const { hash } = useLocation();
  const navigate = useNavigate();
  const shown = tabs.filter(({ isShown }) => isShown === undefined || isShown(job));
  const asked = textOf(search, 'tab') ?? (parseLineFragment(hash) ? 'logs' : 'overview');
  const tab = shown.some(({ id }) => id === asked) ? asked : 'overview';
  const show = (next: string | null) =>
    void navigate({
      to: '/jobs/$id',
      params: { id: job.id },
      search: (now: Search) => ({ ...now, tab: next === 'overview' ? undefined : (next ?? undefined) }),
      replace: true,
      resetScroll: false,
    });
  const list = useRef<HTMLDivElement>(null);
  // On a narrow screen the tabs scroll, and the one that is shown must be seen.
  // biome-ignore lint/correctness/useExhaustiveDependencies: when another tab is shown
  useEffect(() => {
    list.current?.querySelector('[aria-selected="true"]')?.scrollIntoView({ block: 'nearest', inline: 'nearest' });
  }, [tab]);
  return (
    <>
      <JobHeader job={job} isWaitTold={tab === 'overview'} />
      <Tabs value={tab} onChange={show} keepMounted={false} className={classes.tabs}>
        <Tabs.List ref={list} aria-label="Parts of the job" className={classes.tabList}>
          {shown.map(({ id, label }) => (
            <Tabs.Tab key={id} value={id}>
              {label}
            </Tabs.Tab>
          ))}
        </Tabs.List>
        {shown.map(({ id, load }) => (
          <Tabs.Panel key={id} value={id} className={classes.tabPanel}>
            {load === undefined ? <OverviewTab job={job} /> : <Later load={load} job={job} />}
          </Tabs.Panel>
        ))}
      </Tabs>
    </>
  );
}

const parts = new Map<unknown, ReturnType<typeof lazy<(props: { job: JobDetail }) => ReactNode>>>();

/** A part whose code is loaded when it is first looked at. */
function Later({ load, job }: { readonly load: (typeof tabs)[number]['load'] & {}; readonly job: JobDetail }) {
  let Part = parts.get(load);
  if (Part === undefined) {
    Part = lazy(async () => ({ default: (await load()).Tab }));
    parts.set(load, Part);
  }
  return (
    <Suspense fallback={<Skeleton height={320} radius="md" role="status" aria-label="Loading" />}>
      <Part job={job} />
    </Suspense>
  );
}
