/** Reservations: nodes promised to the tenant or one of its projects for a time. */
import { NumberInput, Text, TextInput } from '@mantine/core';
import '../../ui/inputs.css';
import { useQuery, useQueryClient } from '@tanstack/react-query';
import type { Output } from '../../api/contract.ts';
import { read } from '../../api/queries.ts';
import { request } from '../../api/request.ts';
import { ConfirmButton } from '../../ui/confirm-button.tsx';
import type { Column } from '../../ui/data-table.tsx';
import { Time } from '../../ui/time.tsx';
import { CreateDialog, textIn } from './create-dialog.tsx';
import { ProjectField } from './fields.tsx';
import { ListPanel } from './list-panel.tsx';

type Reservation = Output<'GET /v1/reservations'>['items'][number];

const reservations = 'GET /v1/reservations';

export function Reservations() {
  const query = useQuery(read(reservations));
  return (
    <ListPanel
      title="Reservations"
      list={{ ...query, data: query.data?.items, hasMore: false, loadingMore: false, more: () => {} }}
      columns={columns}
      rowId={({ id }) => id}
      rowName={({ name }) => name}
      empty={{ why: 'Nothing is reserved.' }}
      actions={
        <CreateDialog label="Reserve nodes" submit="Reserve" changes={[reservations]} onSubmit={reserve}>
          <TextInput name="name" label="What it is for" required maxLength={63} />
          <ProjectField none="All projects" />
          <NumberInput name="nodes" label="How many nodes" defaultValue={1} min={1} max={4096} allowDecimal={false} />
          <TextInput name="label" label="Only nodes with this label" placeholder="rack=r1" />
          <TextInput name="from" label="From" type="datetime-local" description="Empty: from now on" />
          <TextInput name="until" label="Until" type="datetime-local" required />
        </CreateDialog>
      }
    >
      <Text size="sm" mb="xs">
        Before a reservation begins others use its nodes for work that has ended by then; while it is open nobody else
        does.
      </Text>
    </ListPanel>
  );
}

const readyOf = ({ nodes, nodeCount }: Reservation): string => {
  const ready = nodes.filter((node) => node.ready).length;
  return ready === nodeCount ? `${nodeCount}` : `${ready} of ${nodeCount} ready`;
};

const columns: readonly Column<Reservation>[] = [
  { id: 'name', header: 'Reservation', primary: true, width: 'minmax(140px, 2fr)', cell: ({ name }) => name },
  { id: 'project', header: 'For', cell: ({ project }) => project?.name ?? 'all projects' },
  { id: 'from', header: 'From', cell: ({ startsAt }) => <Time at={startsAt} exact /> },
  { id: 'until', header: 'Until', cell: ({ endsAt }) => <Time at={endsAt} exact /> },
  { id: 'state', header: 'State', width: '90px', cell: ({ state }) => state },
  { id: 'nodes', header: 'Nodes', align: 'end', width: '120px', cell: readyOf },
  {
    id: 'actions',
    header: 'Actions',
    align: 'end',
    width: 'minmax(110px, 1fr)',
    cell: (reservation) => <GiveBack reservation={reservation} />,
  },
];

async function reserve(form: FormData) {
  const [name, value] = (textIn(form, 'label') ?? '').split('=');
  const from = textIn(form, 'from');
  const project = textIn(form, 'project');
  return request('POST /v1/reservations', {
    body: {
      name: textIn(form, 'name') ?? '',
      nodes: Number(textIn(form, 'nodes') ?? 1),
      ...(name !== undefined && value !== undefined && { labels: { [name.trim()]: value.trim() } }),
      ...(project !== undefined && { project }),
      ...(from !== undefined && { from: new Date(from).toISOString() }),
      until: new Date(textIn(form, 'until') ?? '').toISOString(),
    },
  });
}

function GiveBack({ reservation: { id, name } }: { readonly reservation: Reservation }) {
  const cache = useQueryClient();
  return (
    <ConfirmButton
      size="compact-xs"
      variant="default"
      question={`Give the nodes of ${name} back?`}
      consequence="They are for everybody again at once. What runs there goes on."
      onConfirm={async () => {
        await request('POST /v1/reservations/:id/cancel', { params: { id } });
        await cache.invalidateQueries({ queryKey: [reservations] });
      }}
    >
      Give back
    </ConfirmButton>
  );
}
