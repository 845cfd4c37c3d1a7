/** The figures: each with what it counts, since when, and the list behind it. */
import { Skeleton } from '@mantine/core';
import { Link } from '@tanstack/react-router';
import type { ReactNode } from 'react';
import type { Search } from '../../app/search.ts';
import { formatEnergy, formatNumber, formatQuantity, formatUsd } from '../../ui/format.ts';
import { StateMark } from '../../ui/state-mark.tsx';
import classes from './overview.module.css';
import { share } from './share.ts';
import type { Overview } from './use-overview.ts';

export function Figures({ figures }: { readonly figures: Overview }) {
  const count = (value: number) => (figures.countsCapped && value >= 10_000 ? '10 000+' : formatNumber(value));
  const atLeast = figures.usageCapped ? '≥ ' : '';
  const starting = figures.starting > 0 ? `${count(figures.starting)} starting` : null;
  const stopping = figures.stopping > 0 ? `${count(figures.stopping)} stopping` : null;
  const measured = figures.energySource === 'measured' ? 'measured' : 'modelled from CPU time and device power';
  const ended = `${count(figures.succeededToday)} succeeded, ${count(figures.cancelledToday)} cancelled`;
  return (
    <dl className={classes.figures}>
      <Figure
        label={<StateMark tone="running">Running</StateMark>}
        value={count(figures.running)}
        detail={[starting, stopping].filter(Boolean).join(', ') || 'at this moment'}
        search={{ state: ['running', 'starting', 'stopping'] }}
      />
      <Figure
        label={<StateMark tone="waiting">Waiting</StateMark>}
        value={count(figures.queued)}
        detail={figures.suspended > 0 ? `${count(figures.suspended)} suspended` : 'in the queue'}
        search={{ state: 'queued' }}
      />
      <Figure
        label={figures.failedToday === 0 ? 'Failed today' : <StateMark tone="failed">Failed today</StateMark>}
        value={count(figures.failedToday)}
        detail={`${ended} since 00:00 UTC`}
        search={{ state: 'failed' }}
      />
      <Figure
        label="Spend today"
        value={atLeast + formatUsd(figures.spendTodayUsd)}
        title={`$${figures.spendTodayUsd}, of what ran since 00:00 UTC, at the prices it started with`}
        detail={`${formatUsd(figures.burnUsdPerHour)}/h now`}
      />
      <Figure
        label="Energy today"
        value={figures.energySource === null ? '–' : atLeast + formatEnergy(figures.energyTodayKwh)}
        title={
          figures.energySource === null
            ? 'Nothing that uses energy has ended since 00:00 UTC'
            : `${figures.energyTodayKwh} kWh, ${measured}`
        }
        detail={
          figures.energySource === null ? 'nothing ended since 00:00 UTC' : `${figures.energySource}, of what ended`
        }
      />
      <FleetUse figures={figures} />
    </dl>
  );
}

interface FigureProps {
  readonly label: ReactNode;
  readonly value: string;
  readonly detail: string;
  readonly title?: string;
  /** Filter of the list of jobs behind it. */
  readonly search?: Search;
}

function Figure({ label, value, detail, title, search }: FigureProps) {
  return (
    <div className={classes.figure}>
      <dt className={classes.label}>{label}</dt>
      <dd className={classes.value} title={title ?? value}>
        {search === undefined ? (
          value
        ) : (
          <Link to="/jobs" search={search} className={classes.count}>
            {value}
            <span className={classes.hidden}>{value === '1' ? ' job: show it' : ' jobs: show them'}</span>
          </Link>
        )}
      </dd>
      <dd className={classes.detail}>{detail}</dd>
    </div>
  );
}

/** How much of the fleet is given away: of devices where there are any, else of cores. */
function FleetUse({ figures }: { readonly figures: Overview }) {
  const devices = figures.devicesTotal > 0;
  const [used, total] = devices
    ? [figures.deviceUsedMilli, figures.deviceMilli]
    : [figures.cpuUsedMilli, figures.cpuMilli];
  const percent = share(used, total);
  const nodes = `${figures.nodesReady} of ${figures.nodesTotal} ${figures.nodesTotal === 1 ? 'node' : 'nodes'} ready`;
  const what = devices ? 'devices' : 'cores';
  return (
    <div className={classes.figure}>
      <dt className={classes.label}>Fleet in use</dt>
      <dd
        className={classes.value}
        title={`${used / 1000} of ${total / 1000} ${what} of ready nodes are given to jobs`}
      >
        {percent === null ? '–' : formatQuantity(percent, '%')}
      </dd>
      <dd className={classes.bar} aria-hidden="true">
        <span style={{ width: `${percent ?? 0}%` }} />
      </dd>
      <dd className={classes.detail}>
        {formatNumber(used / 1000)} of {formatNumber(total / 1000)} {what}, {nodes}
      </dd>
    </div>
  );
}

export function FiguresSkeleton() {
  return (
    <div className={classes.figures}>
      {Array.from({ length: 6 }, (_, index) => index).map((index) => (
        <Skeleton key={index} height={112} radius="md" />
      ))}
    </div>
  );
}
