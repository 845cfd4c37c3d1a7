/** Notifications: whom to tell what becomes of jobs, and what was told. */
import { Checkbox, Fieldset, NumberInput, TextInput } from '@mantine/core';
import '../../ui/inputs.css';
import '@mantine/core/styles/Fieldset.layer.css';
import { useQueryClient } from '@tanstack/react-query';
import type { Item, Output } from '../../api/contract.ts';
import { request } from '../../api/request.ts';
import { ConfirmButton } from '../../ui/confirm-button.tsx';
import type { Column } from '../../ui/data-table.tsx';
import { StateMark } from '../../ui/state-mark.tsx';
import classes from './admin.module.css';
import { CreateDialog, textIn } from './create-dialog.tsx';
import { Deliveries, deliveries } from './deliveries.tsx';
import { ProjectField } from './fields.tsx';
import { ListPanel } from './list-panel.tsx';
import { PressButton } from './press-button.tsx';
import { ShownOnce } from './shown-once.tsx';
import { useList } from './use-list.ts';

type Channel = Item<'GET /v1/notifications/channels'>;
type Made = Output<'POST /v1/notifications/channels'>;
type Event = Channel['events'][number];

const channels = 'GET /v1/notifications/channels';
const events: readonly Event[] = ['finished', 'failed', 'cancelled', 'stuck'];
const usual: readonly Event[] = ['finished', 'failed', 'stuck'];

export function Notifications() {
  const list = useList(channels);
  return (
    <>
      <ListPanel
        title="Notifications"
        list={list}
        columns={columns}
        rowId={({ id }) => id}
        rowName={({ name }) => name}
        empty={{
          why: 'Nobody is told what becomes of jobs. A web-hook gets signed requests, people get e-mail where the operator has set up a mail server.',
          action: <code>solyx notifications --help</code>,
        }}
        actions={
          <>
            <CreateDialog<Made>
              label="Call a web-hook"
              submit="Add"
              changes={[channels]}
              onSubmit={(form) => add(form, { url: textIn(form, 'url') ?? '' })}
              done={({ name, secret }) => (
                <ShownOnce value={secret ?? ''} what={`What signs the requests to ${name}; check it there.`} />
              )}
            >
              <TextInput name="name" label="Name" required data-autofocus />
              <TextInput name="url" label="Address" type="url" required placeholder="https://example.com/solyx" />
              <About />
            </CreateDialog>
            <CreateDialog
              label="Send e-mail"
              submit="Add"
              changes={[channels]}
              onSubmit={(form) =>
                add(form, { recipients: (textIn(form, 'recipients') ?? '').split(/[\s,;]+/).filter(Boolean) })
              }
            >
              <TextInput name="name" label="Name" required data-autofocus />
              <TextInput name="recipients" label="To, separated by commas" required placeholder="ada@example.org" />
              <About />
            </CreateDialog>
          </>
        }
      />
      <Deliveries channels={list.data ?? []} />
    </>
  );
}

/** Which jobs, and what of them. */
function About() {
  return (
    <>
      <ProjectField none="All projects" label="Only jobs of" />
      <Fieldset legend="When a job">
        {events.map((event) => (
          <Checkbox key={event} name={event} label={eventWords[event]} defaultChecked={usual.includes(event)} mb={6} />
        ))}
      </Fieldset>
      <NumberInput
        name="stuckMinutes"
        label="Stuck means that nothing moves for, minutes"
        defaultValue={30}
        min={1}
        max={10_080}
        allowDecimal={false}
      />
    </>
  );
}

const eventWords: Readonly<Record<Event, string>> = {
  finished: 'has succeeded',
  failed: 'has failed for good',
  cancelled: 'was cancelled',
  stuck: 'is stuck',
};

function add(form: FormData, to: { readonly url: string } | { readonly recipients: string[] }) {
  const project = textIn(form, 'project');
  return request('POST /v1/notifications/channels', {
    body: {
      name: textIn(form, 'name') ?? '',
      ...to,
      ...(project !== undefined && { project }),
      events: events.filter((event) => form.has(event)),
      stuckAfterMinutes: Number(textIn(form, 'stuckMinutes') ?? 30),
    },
  });
}

const columns: readonly Column<Channel>[] = [
  { id: 'name', header: 'Name', primary: true, width: 'minmax(120px, 1fr)', cell: ({ name }) => name },
  {
    id: 'to',
    header: 'Tells',
    width: 'minmax(160px, 2fr)',
    cell: ({ url, recipients }) => url ?? recipients?.join(', '),
  },
  { id: 'project', header: 'Jobs of', cell: ({ project }) => project?.name ?? 'all projects' },
  {
    id: 'events',
    header: 'When',
    width: 'minmax(200px, 2fr)',
    cell: ({ events: told, stuckAfterMinutes }) =>
      events
        .filter((event) => told.includes(event))
        .map((event) => (event === 'stuck' ? `stuck for ${stuckAfterMinutes} min` : event))
        .join(', '),
  },
  {
    id: 'state',
    header: 'State',
    width: '100px',
    cell: ({ enabled }) => (
      <StateMark tone={enabled ? 'succeeded' : 'paused'}>{enabled ? 'active' : 'paused'}</StateMark>
    ),
  },
  {
    id: 'actions',
    header: 'Actions',
    align: 'end',
    width: '200px',
    cell: (channel) => <Actions channel={channel} />,
  },
];

function Actions({ channel: { id, name, enabled } }: { readonly channel: Channel }) {
  const cache = useQueryClient();
  return (
    <div className={classes.row}>
      <PressButton
        label="Test"
        changes={[deliveries]}
        onPress={() => request('POST /v1/notifications/channels/:id/test', { params: { id } })}
      />
      <PressButton
        label={enabled ? 'Pause' : 'Resume'}
        changes={[channels]}
        onPress={() => request('PATCH /v1/notifications/channels/:id', { params: { id }, body: { enabled: !enabled } })}
      />
      <ConfirmButton
        size="compact-xs"
        variant="default"
        question={`Remove ${name}?`}
        consequence="It is told nothing any more, and what was told is forgotten."
        onConfirm={async () => {
          await request('DELETE /v1/notifications/channels/:id', { params: { id } });
          await Promise.all(
            [channels, deliveries].map((endpoint) => cache.invalidateQueries({ queryKey: [endpoint] })),
          );
        }}
      >
        Remove
      </ConfirmButton>
    </div>
  );
}
