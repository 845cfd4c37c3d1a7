/** The first look at a job: what happened to it, why it is where it is, what it used. */
import type { JobDetail } from '../../api/contract.ts';
import { JobFacts, UsageFacts } from './facts/facts-panel.tsx';
import classes from './job.module.css';
import { TimelinePanel } from './timeline/timeline-panel.tsx';
import { WhyPanel } from './why/why-panel.tsx';

export function OverviewTab({ job }: { readonly job: JobDetail }) {
  return (
    <div className={classes.columns}>
      <div className={classes.stack}>
        <WhyPanel job={job} />
        <TimelinePanel job={job} />
      </div>
      <div className={classes.stack}>
        <UsageFacts usage={job.usage} />
        <JobFacts job={job} />
      </div>
    </div>
  );
}
