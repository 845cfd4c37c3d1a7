/** The nodes of the fleet or of a site: as a table, or as cells of their devices. */

import { TextInput } from '@mantine/core';
import '../../ui/inputs.css';
import { Link } from '@tanstack/react-router';
import { useMemo, useState } from 'react';
import type { LiveNode } from '../../../../src/common/contract/live.ts';
import { Choice } from '../../ui/choice.tsx';
import { type Column, DataTable } from '../../ui/data-table.tsx';
import { formatBytes, formatNumber } from '../../ui/format.ts';
import { Panel } from '../../ui/panel.tsx';
import type { QueryLike } from '../../ui/panel-state.ts';
import { StateMark } from '../../ui/state-mark.tsx';
import { Time } from '../../ui/time.tsx';
import { DeviceGrid } from './device-grid.tsx';
import classes from './fleet.module.css';
import { deviceWords, type Fleet, nodeMark } from './fleet.ts';
import type { SampleStore } from './samples.ts';

interface NodesPanelProps {
  readonly query: QueryLike<Fleet>;
  readonly samples: SampleStore;
  readonly siteId?: string | undefined;
}

export function NodesPanel({ query, samples, siteId }: NodesPanelProps) {
  const [view, setView] = useState<'table' | 'devices'>('table');
  const [text, setText] = useState('');
  return (
    <Panel
      title="Nodes"
      query={query}
      isEmpty={({ nodes }) => ofSite(nodes, siteId).length === 0}
      empty={{
        why: 'No node has joined yet. Make a token here, and start an agent with it on the machine that shall join.',
        action: <code>solyx keys create --kind join --name new-node</code>,
      }}
      partial={
        query.data?.truncated ? 'There are more nodes than one page holds. Open a site to see all of its nodes.' : null
      }
      actions={
        <>
          <TextInput
            aria-label="Filter nodes by name, state or device"
            placeholder="Filter"
            value={text}
            onChange={(event) => setText(event.currentTarget.value)}
          />
          <Choice
            label="How nodes are shown"
            value={view}
            onChange={setView}
            options={[
              { value: 'table', label: 'Table' },
              { value: 'devices', label: 'Devices' },
            ]}
          />
        </>
      }
    >
      {(fleet) => <Nodes fleet={fleet} siteId={siteId} text={text} view={view} samples={samples} />}
    </Panel>
  );
}

const ofSite = (nodes: readonly LiveNode[], siteId: string | undefined) =>
  siteId === undefined ? nodes : nodes.filter((node) => node.site.id === siteId);

interface NodesProps {
  readonly fleet: Fleet;
  readonly siteId: string | undefined;
  readonly text: string;
  readonly view: 'table' | 'devices';
  readonly samples: SampleStore;
}

function Nodes({ fleet, siteId, text, view, samples }: NodesProps) {
  const nodes = useMemo(() => {
    const wanted = text.trim().toLowerCase();
    return ofSite(fleet.nodes, siteId).filter((node) => wordsOf(node, fleet).includes(wanted));
  }, [fleet, siteId, text]);
  const columns = useMemo(() => columnsOf(fleet.devices), [fleet.devices]);
  if (nodes.length === 0) return <p className={classes.note}>No node matches “{text}”.</p>;
  if (view === 'devices') return <DeviceGrid nodes={nodes} devices={fleet.devices} samples={samples} />;
  return (
    <DataTable
      label="Nodes"
      columns={columns}
      rows={nodes}
      rowId={({ id }) => id}
      rowName={({ name }) => name}
      maxHeight={560}
    />
  );
}

const wordsOf = (node: LiveNode, { devices }: Fleet): string =>
  `${node.name} ${node.site.name} ${nodeMark(node).words} ${deviceWords(devices[node.id] ?? [])}`.toLowerCase();

function columnsOf(devices: Fleet['devices']): readonly Column<LiveNode>[] {
  return [
    {
      id: 'name',
      header: 'Node',
      primary: true,
      width: 'minmax(140px, 2fr)',
      cell: ({ id, name }) => (
        <Link to="/fleet/$" params={{ _splat: id }}>
          {name}
        </Link>
      ),
    },
    { id: 'state', header: 'State', width: 'minmax(140px, 1fr)', cell: (node) => <NodeMark node={node} /> },
    {
      id: 'site',
      header: 'Site',
      cell: ({ site }) => (
        <Link to="/fleet/$" params={{ _splat: site.id }}>
          {site.name}
        </Link>
      ),
    },
    {
      id: 'devices',
      header: 'Devices',
      width: 'minmax(120px, 1fr)',
      cell: ({ id }) => deviceWords(devices[id] ?? []) || 'CPU only',
    },
    {
      id: 'free',
      header: 'Devices given',
      align: 'end',
      cell: ({ id }) => {
        const own = devices[id] ?? [];
        const [used, all] = [
          own.reduce((n, { usedMilli }) => n + usedMilli, 0),
          own.reduce((n, { milli }) => n + milli, 0),
        ];
        return all === 0 ? '–' : `${formatNumber(used / 1000)} of ${formatNumber(all / 1000)}`;
      },
    },
    {
      id: 'cpu',
      header: 'CPU given',
      align: 'end',
      cell: ({ used, capacity }) =>
        `${formatNumber(used.cpuMilli / 1000)} of ${formatNumber(capacity.cpuMilli / 1000)}`,
    },
    {
      id: 'memory',
      header: 'Memory given',
      align: 'end',
      width: 'minmax(140px, 1fr)',
      cell: ({ used, capacity }) => `${formatBytes(used.memoryBytes)} of ${formatBytes(capacity.memoryBytes)}`,
    },
    {
      id: 'heard',
      header: 'Last heard',
      align: 'end',
      cell: ({ lastHeartbeatAt }) => (lastHeartbeatAt === null ? 'never' : <Time at={lastHeartbeatAt} />),
    },
  ];
}

export function NodeMark({ node }: { readonly node: LiveNode }) {
  const { tone, words } = nodeMark(node);
  return <StateMark tone={tone}>{words}</StateMark>;
}
