/** What a job asked for and used, as cells of its row. */
import { Energy } from '../../ui/energy.tsx';
import { formatNumber } from '../../ui/format.ts';
import { Usd } from '../../ui/quantity.tsx';
import classes from './jobs.module.css';
import { type JobUsage, useUsageOf } from './use-usage.ts';

const none = <span className={classes.none}>–</span>;
const unknown = <span className={classes.none}>…</span>;

/** `2 × H100`, `0.5 × gpu`. */
export const deviceWords = (devices: JobUsage['devices']): string =>
  devices
    .map(({ kind, models, count }) => `${formatNumber(count)} × ${models.length === 0 ? kind : models.join(' or ')}`)
    .join(', ');

export function Devices({ id }: { readonly id: string }) {
  const known = useUsageOf(id);
  if (known === undefined) return unknown;
  const words = deviceWords(known.devices);
  return words === '' ? none : <span title={`${words}, on all nodes together`}>{words}</span>;
}

export function Cost({ id }: { readonly id: string }) {
  const usage = useUsageOf(id)?.usage;
  if (usage === undefined) return unknown;
  if (usage.runSeconds === 0) return none;
  return <Usd value={usage.costUsd} source={usage.open ? 'so far' : 'at the prices it started with'} />;
}

export function EnergyUsed({ id }: { readonly id: string }) {
  const usage = useUsageOf(id)?.usage;
  return usage === undefined ? unknown : <Energy usage={usage} />;
}
