/** `solyx reservations`: nodes promised for a time. */
import { type Command, InvalidArgumentError } from 'commander';
import type { CallAnswer } from '../../common/contract/client.ts';
import { whole } from '../arguments.ts';
import { connect } from '../connect.ts';
import { note, printable, printJson, printTable } from '../output.ts';

type Reservation = CallAnswer<'createReservation'>;
type Labels = Readonly<Record<string, string[]>>;

interface Devices {
  readonly kind: 'gpu' | 'tpu' | 'fpga';
  readonly model?: string;
  readonly count: number;
}

interface CreateOptions {
  nodes?: number;
  devices?: Devices;
  label?: Labels;
  site?: string;
  from?: string;
  until: string;
  tenant?: string;
  project?: string;
  json?: boolean;
}

export function reservationsCommand(program: Command): void {
  const reservations = program
    .command('reservations')
    .description('see and make reservations: whole nodes promised to a tenant or project for a time');
  reservations
    .command('list', { isDefault: true })
    .description('list reservations that are to come or open')
    .option('--all', 'also those that are over')
    .option('--tenant <id>', 'operators: of another tenant')
    .option('--everybody', 'operators: of all tenants')
    .option('--json', 'print JSON')
    .action(list);
  reservations
    .command('create')
    .description('reserve nodes')
    .argument('<name>', 'what it is for')
    .option('--nodes <n>', 'so many nodes', whole(1, 4096))
    .option('--devices <class=n>', 'or as many nodes as hold so many devices, like gpu=8 or gpu/H100=64', devices)
    .option('--label <name=value>', 'nodes with this label; repeatable, of one name any value will do', labels)
    .option('--site <name>', 'nodes of this site')
    .option('--from <instant>', 'when it begins, like 2026-11-22T02:00:00Z; default now')
    .requiredOption('--until <instant>', 'when it ends')
    .option('--project <name>', 'for this project; default all of the tenant')
    .option('--tenant <id>', 'operators: for another tenant')
    .option('--json', 'print JSON')
    .action(create);
  reservations
    .command('cancel')
    .description('give reserved nodes back')
    .argument('<id>', 'id of the reservation')
    .option('--json', 'print JSON')
    .action(cancel);
}

function devices(text: string): Devices {
  const match = /^(gpu|tpu|fpga)(?:\/([^=]+))?=(\d{1,6})$/.exec(text);
  const count = Number(match?.[3]);
  if (match === null || count < 1) throw new InvalidArgumentError('expected like gpu=8 or gpu/H100=64');
  const model = match[2];
  return { kind: match[1] as Devices['kind'], count, ...(model !== undefined && { model }) };
}

function labels(text: string, before: Labels = {}): Labels {
  const at = text.indexOf('=');
  if (at < 1) throw new InvalidArgumentError('expected like rack=r1');
  const name = text.slice(0, at);
  return { ...before, [name]: [...(before[name] ?? []), text.slice(at + 1)] };
}

async function create(name: string, { json, label, ...options }: CreateOptions): Promise<void> {
  const body = { ...options, name, ...(label !== undefined && { labels: label }) };
  const made = await (await connect()).createReservation({ body });
  if (json) printJson(made);
  else show([made]);
}

async function list({ json, ...asked }: { tenant?: string; everybody?: boolean; all?: boolean; json?: boolean }) {
  const query = {
    ...(asked.tenant !== undefined && { tenant: asked.tenant }),
    ...(asked.everybody && { everybody: true }),
    ...(asked.all && { all: true }),
  };
  const { items } = await (await connect()).listReservations({ query });
  if (json) printJson({ items });
  else show(items);
}

async function cancel(id: string, { json }: { json?: boolean }): Promise<void> {
  const cancelled = await (await connect()).cancelReservation({ params: { id } });
  if (json) printJson(cancelled);
  else note('Cancelled: its nodes are for everybody again.');
}

function show(reservations: readonly Reservation[]): void {
  printTable(
    reservations,
    [
      { title: 'ID', value: ({ id }) => id },
      { title: 'NAME', value: ({ name }) => printable(name) },
      {
        title: 'FOR',
        value: ({ tenant, project }) => printable([tenant.name, project?.name].filter(Boolean).join('/')),
      },
      { title: 'FROM', value: ({ startsAt }) => startsAt },
      { title: 'UNTIL', value: ({ endsAt }) => endsAt },
      { title: 'STATE', value: ({ state }) => state },
      { title: 'NODES', value: nodesOf },
    ],
    'Nothing is reserved.',
  );
}

const isOver = ({ state }: Reservation) => state === 'cancelled' || state === 'ended';

function nodesOf(reservation: Reservation): string {
  const { nodes, nodeCount } = reservation;
  if (isOver(reservation)) return String(nodeCount);
  const ready = nodes.filter((node) => node.ready).length;
  const names = nodes.slice(0, 3).map(({ name }) => printable(name));
  const more = nodes.length > 3 ? ', …' : '';
  return `${ready === nodeCount ? nodeCount : `${ready} of ${nodeCount} ready`}: ${names.join(', ')}${more}`;
}
