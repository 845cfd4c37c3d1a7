/** One node: its state and why, what it has and gives, its devices, and what they measured in the last hour. */
import { useQuery } from '@tanstack/react-query';
import { Link } from '@tanstack/react-router';
import type { LiveDevice, LiveNode } from '../../../../src/common/contract/live.ts';
import { read } from '../../api/queries.ts';
import { CopyId } from '../../ui/copy-id.tsx';
import { type Column, DataTable } from '../../ui/data-table.tsx';
import { formatBytes, formatNumber } from '../../ui/format.ts';
import { Panel } from '../../ui/panel.tsx';
import { StateMark } from '../../ui/state-mark.tsx';
import { Time } from '../../ui/time.tsx';
import { DeviceGrid } from './device-grid.tsx';
import classes from './fleet.module.css';
import type { Fleet } from './fleet.ts';
import { NodeActions } from './node-actions.tsx';
import { NodeTelemetry } from './node-telemetry.tsx';
import { NodeMark } from './nodes-panel.tsx';
import type { SampleStore } from './samples.ts';

export function NodePage({
  fleet,
  id,
  samples,
}: {
  readonly fleet: Fleet;
  readonly id: string;
  readonly samples: SampleStore;
}) {
  const held = fleet.nodes.find((node) => node.id === id);
  // A removed node, or one beyond what the fleet's page holds, is asked for by itself.
  const query = useQuery({ ...read('GET /v1/nodes/:id', { params: { id } }), refetchInterval: 15_000 });
  const node = held ?? query.data;
  const devices = fleet.devices[id] ?? query.data?.devices ?? [];
  return (
    <div className={classes.page}>
      <nav className={classes.crumbs} aria-label="Breadcrumbs">
        <Link to="/fleet">Fleet</Link>
        {node !== undefined && (
          <>
            {' / '}
            <Link to="/fleet/$" params={{ _splat: node.site.id }}>
              {node.site.name}
            </Link>
          </>
        )}
      </nav>
      <div className={classes.head}>
        <h1>{node?.name ?? id}</h1>
        {node !== undefined && <NodeMark node={node} />}
        {node !== undefined && node.presence !== 'removed' && <NodeActions node={node} />}
      </div>
      <div className={classes.two}>
        <Panel title="Node" query={query}>
          {(detail) => <Facts node={node ?? detail} facts={detail.facts} />}
        </Panel>
        <Panel title="Now" query={{ ...query, data: node }}>
          {(shown) => <DeviceGrid nodes={[shown]} devices={{ [shown.id]: devices }} samples={samples} />}
        </Panel>
      </div>
      {devices.length > 0 && (
        <Panel title="Devices" query={{ ...query, data: devices }}>
          {(list) => (
            <DataTable
              label="Devices"
              columns={deviceColumns}
              rows={list}
              rowId={(device) => device.id}
              rowName={({ model, index }) => `${model} ${index}`}
              maxHeight={400}
            />
          )}
        </Panel>
      )}
      <NodeTelemetry id={id} />
    </div>
  );
}

function Facts({ node, facts }: { readonly node: LiveNode; readonly facts: Readonly<Record<string, unknown>> }) {
  const { capacity, used } = node;
  const labels = Object.entries(node.labels);
  return (
    <>
      {node.healthReasons.length > 0 && (
        <ul className={classes.reasons}>
          {node.healthReasons.map(({ code, message, deviceId }) => (
            <li key={`${code} ${deviceId}`}>
              {message} <code>{code}</code>
            </li>
          ))}
        </ul>
      )}
      <dl className={classes.facts}>
        <dt>Id</dt>
        <dd>
          <CopyId id={node.id} />
        </dd>
        <dt>Last heard</dt>
        <dd>{node.lastHeartbeatAt === null ? 'never' : <Time at={node.lastHeartbeatAt} />}</dd>
        <dt>Joined</dt>
        <dd>
          <Time at={node.joinedAt} />
        </dd>
        <dt>CPU given</dt>
        <dd>
          {formatNumber(used.cpuMilli / 1000)} of {formatNumber(capacity.cpuMilli / 1000)} cores
        </dd>
        <dt>Memory given</dt>
        <dd>
          {formatBytes(used.memoryBytes)} of {formatBytes(capacity.memoryBytes)}
        </dd>
        <dt>Disk given</dt>
        <dd>
          {formatBytes(used.diskBytes)} of {formatBytes(capacity.diskBytes)}
        </dd>
        <dt>Isolation offered</dt>
        <dd>{node.isolation.join(', ') || 'none: no job can start here'}</dd>
        <dt>Host network</dt>
        <dd>{node.hostNetwork ? 'jobs may use it' : 'not for jobs'}</dd>
        {labels.length > 0 && (
          <>
            <dt>Labels</dt>
            <dd>{labels.map(([key, value]) => `${key}: ${value}`).join(', ')}</dd>
          </>
        )}
        {Object.entries(facts)
          .filter(([, value]) => typeof value === 'string')
          .map(([name, value]) => (
            <Fact key={name} name={name} value={String(value)} />
          ))}
      </dl>
    </>
  );
}

function Fact({ name, value }: { readonly name: string; readonly value: string }) {
  const words = name.replace(/([A-Z])/g, (letter) => ` ${letter.toLowerCase()}`);
  return (
    <>
      <dt>{words.charAt(0).toUpperCase() + words.slice(1)}</dt>
      <dd>{value}</dd>
    </>
  );
}

const deviceColumns: readonly Column<LiveDevice>[] = [
  { id: 'index', header: 'Device', primary: true, cell: ({ index, model }) => `${model} ${index}` },
  {
    id: 'health',
    header: 'Health',
    cell: ({ health }) => <StateMark tone={health === 'ok' ? 'succeeded' : 'failed'}>{health}</StateMark>,
  },
  {
    id: 'given',
    header: 'Given',
    align: 'end',
    cell: ({ usedMilli, milli }) => `${usedMilli / 1000} of ${milli / 1000}`,
  },
  { id: 'memory', header: 'Memory', align: 'end', cell: ({ memoryBytes }) => formatBytes(memoryBytes) },
  { id: 'vendor', header: 'Vendor', cell: ({ vendor }) => vendor },
  { id: 'driver', header: 'Driver', cell: ({ driver }) => driver ?? '–' },
  { id: 'uuid', header: 'UUID', width: 'minmax(200px, 2fr)', cell: ({ uuid }) => <CopyId id={uuid} /> },
];
