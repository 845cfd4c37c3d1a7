/** Overview: what runs, what it costs, and what to do next. */
import { useQuery } from '@tanstack/react-query';
import { Link } from '@tanstack/react-router';
import { read } from '../../api/queries.ts';
import page from '../../app/page.module.css';
import { Panel } from '../../ui/panel.tsx';
import { JobStateMark } from '../../ui/state-mark.tsx';
import { Time } from '../../ui/time.tsx';

export function Page() {
  const jobs = useQuery({ ...read('GET /v1/jobs', { query: { limit: 10 } }), refetchInterval: 5_000 });
  return (
    <div className={page.page}>
      <h1>Overview</h1>
      <Panel
        title="Last jobs"
        query={jobs}
        isEmpty={({ items }) => items.length === 0}
        empty={{ why: 'No job was submitted yet.' }}
      >
        {({ items }) => (
          <ul>
            {items.map((job) => (
              <li key={job.id}>
                <Link to="/jobs/$id" params={{ id: job.id }}>
                  {job.name}
                </Link>{' '}
                <JobStateMark job={job} /> <Time at={job.submittedAt} />
              </li>
            ))}
          </ul>
        )}
      </Panel>
    </div>
  );
}
