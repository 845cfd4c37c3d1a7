/** The fleet, or a site, in four figures. */
import { formatBytes, formatNumber } from '../../ui/format.ts';
import classes from './fleet.module.css';
import type { Totals } from './fleet.ts';
import { percent } from './sites-panel.tsx';

export function TotalsStrip({ totals }: { readonly totals: Totals }) {
  const share = (used: number, all: number) => (all === 0 ? null : used / all);
  return (
    <dl className={classes.totals}>
      <Figure label="Nodes that take work" value={`${formatNumber(totals.open)} of ${formatNumber(totals.nodes)}`}>
        {totals.troubled === 0 ? 'none lost or degraded' : `${formatNumber(totals.troubled)} lost or degraded`}
      </Figure>
      <Figure label="Devices given to jobs" value={percent(share(totals.deviceUsedMilli, totals.deviceMilli))}>
        {totals.devices === 0
          ? 'no devices'
          : `${formatNumber(totals.deviceUsedMilli / 1000)} of ${formatNumber(totals.deviceMilli / 1000)}`}
      </Figure>
      <Figure label="CPU given to jobs" value={percent(share(totals.cpuUsedMilli, totals.cpuMilli))}>
        {`${formatNumber(totals.cpuUsedMilli / 1000)} of ${formatNumber(totals.cpuMilli / 1000)} cores`}
      </Figure>
      <Figure label="Memory given to jobs" value={percent(share(totals.memoryUsedBytes, totals.memoryBytes))}>
        {`${formatBytes(totals.memoryUsedBytes)} of ${formatBytes(totals.memoryBytes)}`}
      </Figure>
    </dl>
  );
}

function Figure({
  label,
  value,
  children,
}: {
  readonly label: string;
  readonly value: string;
  readonly children: string;
}) {
  return (
    <div className={classes.total}>
      <dt>{label}</dt>
      <dd className="tabular">
        {value}
        <small>{children}</small>
      </dd>
    </div>
  );
}
