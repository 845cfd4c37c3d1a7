/** The columns of the list of jobs, and which are shown unless somebody chose others. */
import { Link } from '@tanstack/react-router';
import type { Job } from '../../api/contract.ts';
import type { Column } from '../../ui/data-table.tsx';
import { JobStateMark } from '../../ui/state-mark.tsx';
import { Duration, Time } from '../../ui/time.tsx';
import classes from './jobs.module.css';
import { reasonOf } from './reason.ts';
import { Cost, Devices, EnergyUsed } from './usage-cells.tsx';

const none = <span className={classes.none}>–</span>;

export const columns: readonly Column<Job>[] = [
  {
    id: 'name',
    header: 'Job',
    width: 'minmax(180px, 2fr)',
    primary: true,
    cell: (job) => (
      <Link to="/jobs/$id" params={{ id: job.id }} title={job.name}>
        {job.name}
        {job.arrayIndex !== null && <span className={classes.index}> [{job.arrayIndex}]</span>}
      </Link>
    ),
  },
  { id: 'state', header: 'State', width: '150px', cell: (job) => <JobStateMark job={job} /> },
  {
    id: 'reason',
    header: 'Why',
    width: 'minmax(160px, 2fr)',
    cell: (job) => {
      const reason = reasonOf(job);
      return reason === null ? none : <span title={reason}>{reason}</span>;
    },
  },
  { id: 'project', header: 'Project', width: 'minmax(96px, 1fr)', cell: (job) => job.project.name },
  {
    id: 'wait',
    header: 'Waited',
    width: '96px',
    align: 'end',
    cell: (job) =>
      job.startedAt !== null || job.endedAt === null ? (
        <Duration from={job.submittedAt} to={job.startedAt} />
      ) : (
        <Duration from={job.submittedAt} to={job.endedAt} />
      ),
  },
  {
    id: 'time',
    header: 'Ran',
    width: '96px',
    align: 'end',
    cell: (job) => (job.startedAt === null ? none : <Duration from={job.startedAt} to={job.endedAt} />),
  },
  { id: 'submitted', header: 'Submitted', width: '104px', align: 'end', cell: (job) => <Time at={job.submittedAt} /> },
  {
    id: 'ended',
    header: 'Ended',
    width: '104px',
    align: 'end',
    cell: (job) => (job.endedAt === null ? none : <Time at={job.endedAt} />),
  },
  { id: 'devices', header: 'Devices', width: 'minmax(104px, 1fr)', cell: (job) => <Devices id={job.id} /> },
  { id: 'cost', header: 'Cost', width: '96px', align: 'end', cell: (job) => <Cost id={job.id} /> },
  { id: 'energy', header: 'Energy', width: '120px', align: 'end', cell: (job) => <EnergyUsed id={job.id} /> },
  { id: 'attempts', header: 'Attempts', width: '80px', align: 'end', cell: (job) => job.attemptCount },
  { id: 'exit', header: 'Exit code', width: '80px', align: 'end', cell: (job) => job.exitCode ?? none },
  { id: 'priority', header: 'Priority', width: '80px', align: 'end', cell: (job) => job.priority },
  {
    id: 'labels',
    header: 'Labels',
    width: 'minmax(120px, 1fr)',
    cell: (job) => {
      const text = Object.entries(job.labels)
        .map(([key, value]) => `${key}:${value}`)
        .join(', ');
      return text === '' ? none : <span title={text}>{text}</span>;
    },
  },
  { id: 'id', header: 'Id', width: '264px', cell: (job) => <code>{job.id}</code> },
];

export const columnIds: readonly string[] = columns.map(({ id }) => id);
export const hiddenByDefault: readonly string[] = [
  'ended',
  'devices',
  'cost',
  'energy',
  'attempts',
  'exit',
  'priority',
  'labels',
  'id',
];
