/** The sites: on the map where they have coordinates, and in a table. */

import { Link } from '@tanstack/react-router';
import { lazy, Suspense, useState } from 'react';
import type { Site } from '../../../../src/common/contract/live.ts';
import { Choice } from '../../ui/choice.tsx';
import { type Column, DataTable } from '../../ui/data-table.tsx';
import { formatNumber } from '../../ui/format.ts';
import { Panel } from '../../ui/panel.tsx';
import type { QueryLike } from '../../ui/panel-state.ts';
import { Usd } from '../../ui/quantity.tsx';
import { allocatedRatio, type Fleet, type Totals, totalsOf } from './fleet.ts';

const SiteMap = lazy(() => import('./site-map.tsx'));

export interface SiteRow {
  readonly site: Site;
  readonly totals: Totals;
}

export const siteRows = ({ sites, nodes, devices }: Fleet): SiteRow[] =>
  sites.map((site) => ({
    site,
    totals: totalsOf(
      nodes.filter((node) => node.site.id === site.id),
      devices,
    ),
  }));

const columns: readonly Column<SiteRow>[] = [
  {
    id: 'name',
    header: 'Site',
    primary: true,
    width: 'minmax(120px, 2fr)',
    cell: ({ site }) => (
      <Link to="/fleet/$" params={{ _splat: site.id }}>
        {site.name}
      </Link>
    ),
  },
  { id: 'zone', header: 'Grid zone', cell: ({ site }) => site.gridZone ?? '–' },
  { id: 'pue', header: 'PUE', align: 'end', width: '64px', cell: ({ site }) => site.pue.toFixed(2) },
  {
    id: 'nodes',
    header: 'Nodes',
    align: 'end',
    cell: ({ totals }) => `${formatNumber(totals.open)} of ${formatNumber(totals.nodes)}`,
  },
  { id: 'devices', header: 'Devices', align: 'end', cell: ({ totals }) => formatNumber(totals.devices) },
  { id: 'allocated', header: 'Allocated', align: 'end', cell: ({ totals }) => percent(allocatedRatio(totals)) },
  {
    id: 'price',
    header: '$ per device hour',
    align: 'end',
    width: 'minmax(128px, 1fr)',
    cell: ({ site }) => <Usd value={site.deviceUsdPerHour} source="list price of the site" />,
  },
];

export const percent = (ratio: number | null): string => (ratio === null ? '–' : `${Math.round(ratio * 100)}\u2009%`);

export function SitesPanel({ query }: { readonly query: QueryLike<Fleet> }) {
  const [view, setView] = useState<'map' | 'table' | null>(null);
  const hasPlace = query.data?.sites.some(({ latitude }) => latitude !== null) ?? false;
  const shown = view ?? (hasPlace ? 'map' : 'table');
  return (
    <Panel
      title="Sites"
      query={query}
      isEmpty={({ sites }) => sites.length === 0}
      empty={{ why: 'There is no site yet.', action: <code>solyx sites create fra-1</code> }}
      actions={
        <Choice
          label="How sites are shown"
          value={shown}
          onChange={setView}
          options={[
            { value: 'map', label: 'Map' },
            { value: 'table', label: 'Table' },
          ]}
        />
      }
    >
      {(fleet) =>
        shown === 'map' ? (
          <Suspense fallback={null}>
            <SiteMap sites={siteRows(fleet)} />
          </Suspense>
        ) : (
          <DataTable
            label="Sites"
            columns={columns}
            rows={siteRows(fleet)}
            rowId={({ site }) => site.id}
            rowName={({ site }) => site.name}
            maxHeight={320}
          />
        )
      }
    </Panel>
  );
}
