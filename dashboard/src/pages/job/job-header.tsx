/** Name, state and actions of a job, and the few facts that everybody asks for first. */
import { Link } from '@tanstack/react-router';
import type { JobDetail } from '../../api/contract.ts';
import { useTitle } from '../../app/title.ts';
import { CopyId } from '../../ui/copy-id.tsx';
import { Energy } from '../../ui/energy.tsx';
import { Usd } from '../../ui/quantity.tsx';
import { JobStateMark } from '../../ui/state-mark.tsx';
import { Duration, Time } from '../../ui/time.tsx';
import classes from './job.module.css';
import { JobActions } from './job-actions.tsx';
import { isFinal } from './use-job.ts';
import { pendingTitle } from './why/why.ts';

interface JobHeaderProps {
  readonly job: JobDetail;
  /** Whether the page below tells why it waits. */
  readonly isWaitTold: boolean;
}

export function JobHeader({ job, isWaitTold }: JobHeaderProps) {
  const title = job.arrayIndex === null ? job.name : `${job.name}[${job.arrayIndex}]`;
  useTitle(title);
  return (
    <header>
      <p className={classes.crumbs}>
        <Link to="/jobs">Jobs</Link> / <CopyId id={job.id} />
      </p>
      <div className={classes.title}>
        <h1>{title}</h1>
        <JobStateMark job={job} />
        <JobActions job={job} />
      </div>
      <dl className={classes.meta}>
        <Fact name="Submitted">
          <Time at={job.submittedAt} />
        </Fact>
        <Fact name={job.startedAt === null ? 'Waiting' : 'Ran'}>
          {job.startedAt === null ? (
            <Duration from={job.submittedAt} to={job.endedAt} />
          ) : (
            <Duration from={job.startedAt} to={job.endedAt} />
          )}
        </Fact>
        <Fact name="Cost">
          <Usd value={job.usage.costUsd} source={job.usage.open ? 'so far, by list prices' : 'by list prices'} />
        </Fact>
        <Fact name="Energy">
          <Energy usage={job.usage} />
        </Fact>
        <Fact name="Project">{job.project.name}</Fact>
        {job.attemptCount > 1 && <Fact name="Attempts">{job.attemptCount}</Fact>}
        {job.exitCode !== null && <Fact name="Exit code">{job.exitCode}</Fact>}
      </dl>
      <Notice job={job} isWaitTold={isWaitTold} />
    </header>
  );
}

function Fact({ name, children }: { readonly name: string; readonly children: React.ReactNode }) {
  return (
    <div>
      <dt>{name}</dt>
      <dd className="tabular">{children}</dd>
    </div>
  );
}

/** What is and what to do, where a state alone does not say it. */
function Notice({ job, isWaitTold }: JobHeaderProps) {
  if (job.contactLostSince !== null) {
    return (
      <div className={classes.notice} role="status">
        <p>
          No contact to its node since <Time at={job.contactLostSince} />. The work may go on there; what happens next
          is said by <code>onDisconnect</code> of the spec.
        </p>
      </div>
    );
  }
  if (job.pending !== null) {
    if (isWaitTold) return null;
    return (
      <div className={classes.notice} role="status">
        <p>
          <strong>{pendingTitle(job.pending.reason)}.</strong> {job.pending.message}{' '}
          {job.pending.deferredUntil !== null && (
            <>
              Not before <Time at={job.pending.deferredUntil} exact />.
            </>
          )}
        </p>
      </div>
    );
  }
  if (isFinal(job) && job.reason !== null) {
    return (
      <div className={classes.notice} role="status">
        <p>
          <strong>{job.state === 'failed' ? 'Failed:' : 'Ended:'}</strong> {job.reason}
        </p>
      </div>
    );
  }
  return null;
}
