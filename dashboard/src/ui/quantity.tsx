/** An amount with its unit; exact value and source are in the tooltip (look.md: every number says whose it is). */
import { formatBytes, formatNumber, formatQuantity, formatScaled, formatUsd } from './format.ts';

interface Source {
  /** Who says so and how sure: `measured`, `modelled from CPU time`, … */
  readonly source?: string | undefined;
}

export function Quantity({
  value,
  unit,
  scaled = false,
  source,
}: Source & {
  readonly value: number;
  readonly unit: string;
  /** Whether the unit takes k, M, G for thousands. */
  readonly scaled?: boolean;
}) {
  return (
    <Exact exact={`${value} ${unit}`} source={source}>
      {scaled ? formatScaled(value, unit) : formatQuantity(value, unit)}
    </Exact>
  );
}

export function Bytes({ value, source }: Source & { readonly value: number }) {
  return (
    <Exact exact={`${value} B`} source={source}>
      {formatBytes(value)}
    </Exact>
  );
}

/** Dollars from their wire form. */
export function Usd({ value, source }: Source & { readonly value: string }) {
  return (
    <Exact exact={`$${value}`} source={source}>
      {formatUsd(value)}
    </Exact>
  );
}

export function Count({ value, source }: Source & { readonly value: number }) {
  return (
    <Exact exact={String(value)} source={source}>
      {formatNumber(value)}
    </Exact>
  );
}

function Exact({ exact, source, children }: Source & { readonly exact: string; readonly children: string }) {
  return (
    <span className="tabular" title={source === undefined ? exact : `${exact}, ${source}`}>
      {children}
    </span>
  );
}
