/** Usage, cost and the rest of what is known of a job, each number with its source. */
import type { ReactNode } from 'react';
import type { JobDetail } from '../../../api/contract.ts';
import { CopyId } from '../../../ui/copy-id.tsx';
import { Energy } from '../../../ui/energy.tsx';
import { Count, Usd } from '../../../ui/quantity.tsx';
import { Seconds, Time } from '../../../ui/time.tsx';
import { usePersonName } from '../use-job.ts';
import classes from './facts.module.css';

export function UsageFacts({ usage }: { readonly usage: JobDetail['usage'] }) {
  return (
    <section className={classes.panel} aria-labelledby="usage">
      <h2 id="usage">Usage{usage.open ? ' so far' : ''}</h2>
      <dl className={classes.facts}>
        <Fact name="Cost">
          <Usd
            value={usage.costUsd}
            source={usage.open ? 'so far, by the list prices of the site' : 'by the list prices of the site'}
          />
        </Fact>
        <Fact name="Energy">
          <Energy usage={usage} />
        </Fact>
        <Fact name="Run time" title="Wall time of all attempts, summed over ranks">
          <Seconds value={usage.runSeconds} />
        </Fact>
        <Fact name="CPU time" title="As the nodes measured it">
          <Seconds value={usage.cpuSeconds} />
        </Fact>
        {usage.deviceSeconds > 0 && (
          <Fact name="Device time" title="Whole devices times seconds">
            <Seconds value={usage.deviceSeconds} />
          </Fact>
        )}
      </dl>
    </section>
  );
}

export function JobFacts({ job }: { readonly job: JobDetail }) {
  const nameOf = usePersonName();
  const by = nameOf(job.submittedBy);
  const labels = Object.entries(job.labels);
  return (
    <section className={classes.panel} aria-labelledby="facts">
      <h2 id="facts">About it</h2>
      <dl className={classes.facts}>
        <Fact name="Submitted by">{by === job.submittedBy ? <CopyId id={by} label={shortId(by)} /> : by}</Fact>
        <Fact name="Submitted">
          <Time at={job.submittedAt} exact />
        </Fact>
        {job.startedAt !== null && (
          <Fact name="First started">
            <Time at={job.startedAt} exact />
          </Fact>
        )}
        {job.endedAt !== null && (
          <Fact name="Ended">
            <Time at={job.endedAt} exact />
          </Fact>
        )}
        <Fact name="Priority">
          <Count value={job.priority} />
        </Fact>
        {job.arrayId !== null && (
          <Fact name="Array">
            <CopyId id={job.arrayId} label={`${shortId(job.arrayId)}, task ${job.arrayIndex}`} />
          </Fact>
        )}
        {job.checkpoint !== null && (
          <Fact name="Checkpoint" title={`SHA-256 ${job.checkpoint.hash}`}>
            <CopyId id={job.checkpoint.hash} label={`${job.checkpoint.hash.slice(0, 12)}…`} />{' '}
            <Time at={job.checkpoint.at} />
          </Fact>
        )}
      </dl>
      {labels.length > 0 && (
        <ul className={classes.labels} aria-label="Labels">
          {labels.map(([key, value]) => (
            <li key={key}>
              <bdi>{key}</bdi>: <bdi>{value}</bdi>
            </li>
          ))}
        </ul>
      )}
    </section>
  );
}

/** Enough of an id to tell it from its neighbours; the whole is copied. */
export const shortId = (id: string): string =>
  id.length <= 14 ? id : `${id.slice(0, id.indexOf('_') + 1)}…${id.slice(-6)}`;

function Fact({
  name,
  title,
  children,
}: {
  readonly name: string;
  readonly title?: string;
  readonly children: ReactNode;
}) {
  return (
    <div title={title}>
      <dt>{name}</dt>
      <dd>{children}</dd>
    </div>
  );
}
