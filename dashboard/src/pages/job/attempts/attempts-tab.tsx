/** Every try at running the job, newest first, with what each of its ranks did. */
import { Link } from '@tanstack/react-router';
import type { JobDetail } from '../../../api/contract.ts';
import { CopyId } from '../../../ui/copy-id.tsx';
import { type Column, DataTable } from '../../../ui/data-table.tsx';
import { StateMark, type Tone } from '../../../ui/state-mark.tsx';
import { Duration, Time } from '../../../ui/time.tsx';
import facts from '../facts/facts.module.css';
import { shortId } from '../facts/facts-panel.tsx';
import job_ from '../job.module.css';
import { useNodeNames, useSiteNames } from '../use-job.ts';
import classes from './attempts.module.css';

type Attempt = JobDetail['attempts'][number];
type Rank = Attempt['ranks'][number];

const stateTones: Readonly<Record<Attempt['state'], Tone>> = {
  placed: 'waiting',
  starting: 'running',
  running: 'running',
  stopping: 'stopping',
  unknown: 'unknown',
  ended: 'cancelled',
};

const outcomeTones: Readonly<Record<NonNullable<Attempt['outcome']>, Tone>> = {
  succeeded: 'succeeded',
  failed: 'failed',
  cancelled: 'cancelled',
  preempted: 'paused',
  moved: 'paused',
  suspended: 'paused',
  'out-of-memory': 'failed',
  'timed-out': 'failed',
  'start-failed': 'failed',
  'node-lost': 'unknown',
};

export function Tab({ job }: { readonly job: JobDetail }) {
  if (job.attempts.length === 0) return <p className={job_.dim}>It has not been tried yet: it waits for its place.</p>;
  return (
    <div className={job_.stack}>
      {[...job.attempts].reverse().map((attempt) => (
        <AttemptPanel key={attempt.id} job={job} attempt={attempt} />
      ))}
    </div>
  );
}

function AttemptPanel({ job, attempt }: { readonly job: JobDetail; readonly attempt: Attempt }) {
  const sites = useSiteNames();
  const nodes = useNodeNames();
  const tone = attempt.outcome === null ? stateTones[attempt.state] : outcomeTones[attempt.outcome];
  const label = `Attempt ${attempt.number}`;
  return (
    <section className={facts.panel} aria-label={label}>
      <header className={classes.head}>
        <h2>{label}</h2>
        <StateMark tone={tone}>{attempt.outcome ?? attempt.state}</StateMark>
        <CopyId id={attempt.id} label={shortId(attempt.id)} />
      </header>
      <dl className={classes.facts}>
        <Fact name="Site">
          <span title={attempt.siteId}>{sites.get(attempt.siteId) ?? shortId(attempt.siteId)}</span>
        </Fact>
        <Fact name="Placed">
          <Time at={attempt.placedAt} />
        </Fact>
        {attempt.runningAt !== null && (
          <>
            <Fact name="Start took">
              <Duration from={attempt.placedAt} to={attempt.runningAt} />
            </Fact>
            <Fact name="Ran">
              <Duration from={attempt.runningAt} to={attempt.endedAt} />
            </Fact>
          </>
        )}
        {attempt.unknownSince !== null && (
          <Fact name="No contact since">
            <Time at={attempt.unknownSince} />
          </Fact>
        )}
        {attempt.exitCode !== null && <Fact name="Exit code">{attempt.exitCode}</Fact>}
        {attempt.signal !== null && <Fact name="Signal">{attempt.signal}</Fact>}
      </dl>
      {attempt.message !== null && <p className={classes.message}>{attempt.message}</p>}
      <DataTable
        label={`Ranks of attempt ${attempt.number}`}
        rows={attempt.ranks}
        rowId={({ rank }) => String(rank)}
        columns={rankColumns(job.id, attempt.number, nodes)}
        density="compact"
        maxHeight={320}
      />
    </section>
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

const rankTones: Readonly<Record<Rank['state'], Tone>> = {
  placed: 'waiting',
  starting: 'running',
  running: 'running',
  ended: 'cancelled',
};

const rankColumns = (jobId: string, attempt: number, nodes: ReadonlyMap<string, string>): Column<Rank>[] => [
  { id: 'rank', header: 'Rank', width: '64px', primary: true, cell: ({ rank }) => `${rank}` },
  {
    id: 'node',
    header: 'Node',
    width: 'minmax(120px, 1fr)',
    cell: ({ nodeId }) => <span title={nodeId}>{nodes.get(nodeId) ?? shortId(nodeId)}</span>,
  },
  {
    id: 'state',
    header: 'State',
    width: 'minmax(140px, 1fr)',
    cell: ({ state, reason, exitCode }) => (
      <StateMark tone={state === 'ended' && exitCode === 0 ? 'succeeded' : rankTones[state]}>
        {reason ?? state}
      </StateMark>
    ),
  },
  {
    id: 'ran',
    header: 'Ran',
    align: 'end',
    width: '104px',
    cell: ({ startedAt, endedAt }) => (startedAt === null ? '–' : <Duration from={startedAt} to={endedAt} />),
  },
  {
    id: 'exit',
    header: 'Exit',
    align: 'end',
    width: '88px',
    cell: ({ exitCode, signal }) => signal ?? (exitCode === null ? '–' : String(exitCode)),
  },
  {
    id: 'log',
    header: 'Log',
    width: '72px',
    cell: ({ rank }) => (
      <Link to="/jobs/$id" params={{ id: jobId }} search={{ tab: 'logs' }} hash={`log=${attempt}.${rank}.1`}>
        log<span className={classes.hidden}> of rank {rank}</span>
      </Link>
    ),
  },
];
