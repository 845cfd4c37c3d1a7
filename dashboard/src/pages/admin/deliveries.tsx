/** What channels were told, newest first: whether it arrived, why not, and telling it again. */
import { Link } from '@tanstack/react-router';
import type { Item } from '../../api/contract.ts';
import { request } from '../../api/request.ts';
import type { Column } from '../../ui/data-table.tsx';
import { StateMark, type Tone } from '../../ui/state-mark.tsx';
import { Time } from '../../ui/time.tsx';
import { ListPanel } from './list-panel.tsx';
import { PressButton } from './press-button.tsx';
import { useList } from './use-list.ts';

type Delivery = Item<'GET /v1/notifications/deliveries'>;

export const deliveries = 'GET /v1/notifications/deliveries';

/** How often to look while something is on its way, ms. */
const pendingMs = 2_000;

interface DeliveriesProps {
  readonly channels: readonly { readonly id: string; readonly name: string }[];
}

export function Deliveries({ channels }: DeliveriesProps) {
  const list = useList(deliveries, {}, (rows) => rows.some(({ state }) => state === 'pending') && pendingMs);
  const names = new Map(channels.map(({ id, name }) => [id, name]));
  return (
    <ListPanel
      title="What was told"
      list={list}
      columns={columnsWith(names)}
      rowId={({ id }) => id}
      rowName={({ event, subject }) => `${event} ${subject}`}
      empty={{ why: 'Nothing was told yet. A test shows at once whether a channel works.' }}
    />
  );
}

const tones: Readonly<Record<Delivery['state'], Tone>> = { pending: 'waiting', sent: 'succeeded', failed: 'failed' };

const columnsWith = (names: ReadonlyMap<string, string>): readonly Column<Delivery>[] => [
  { id: 'event', header: 'Event', primary: true, width: '110px', cell: ({ event }) => event },
  {
    id: 'job',
    header: 'Job',
    width: 'minmax(140px, 1fr)',
    cell: ({ event, subject }) =>
      event === 'test' ? (
        '–'
      ) : (
        <Link to="/jobs/$id" params={{ id: subject }}>
          {subject}
        </Link>
      ),
  },
  { id: 'channel', header: 'To', cell: ({ channelId }) => names.get(channelId) ?? channelId },
  { id: 'at', header: 'When', cell: ({ createdAt }) => <Time at={createdAt} /> },
  {
    id: 'state',
    header: 'State',
    width: '110px',
    cell: ({ state }) => <StateMark tone={tones[state]}>{state}</StateMark>,
  },
  { id: 'tries', header: 'Tries', align: 'end', width: '70px', cell: ({ attempts }) => attempts },
  { id: 'answer', header: 'Last answer', width: 'minmax(160px, 2fr)', cell: lastAnswer },
  {
    id: 'actions',
    header: 'Actions',
    align: 'end',
    width: '110px',
    cell: ({ id, state }) =>
      state !== 'pending' && (
        <PressButton
          label="Send again"
          changes={[deliveries]}
          onPress={() => request('POST /v1/notifications/deliveries/:id/replay', { params: { id } })}
        />
      ),
  },
];

function lastAnswer({ log, nextAt }: Delivery) {
  const last = log.at(-1);
  return (
    <>
      {last === undefined ? 'none yet' : (last.error ?? `${last.status ?? 'taken'} in ${last.ms} ms`)}
      {nextAt !== null && last !== undefined && (
        <>
          {'; again '}
          <Time at={nextAt} />
        </>
      )}
    </>
  );
}
