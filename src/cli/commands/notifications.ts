/** `solyx notifications`: web-hooks and e-mail about what becomes of jobs. */
import type { Command } from 'commander';
import { oneOf, whole } from '../arguments.ts';
import { collect, connect } from '../connect.ts';
import { note, print, printJson, printTable, relative } from '../output.ts';

const events = ['finished', 'failed', 'cancelled', 'stuck'] as const;
type Event = (typeof events)[number];

interface AddOptions {
  url?: string;
  to?: string[];
  project?: string;
  on?: Event[];
  stuckAfter?: number;
  json?: boolean;
}

export function notificationsCommand(program: Command): void {
  const command = program.command('notifications').description('tell web-hooks and people what becomes of jobs');
  command.command('list', { isDefault: true }).description('list channels').option('--json', 'print JSON').action(list);
  command
    .command('add')
    .description('make a channel; the secret that signs a web-hook is shown once')
    .argument('<name>', 'its name')
    .option('--url <url>', 'a web-hook')
    .option('--to <address...>', 'e-mail addresses')
    .option('--project <name>', 'only jobs of this project')
    .addOption(oneOf('--on <event...>', 'what to tell; default finished, failed and stuck', events))
    .option(
      '--stuck-after <minutes>',
      'after how long without anything moving a job is stuck; default 30',
      whole(1, 10_080),
    )
    .option('--json', 'print JSON')
    .action(add);
  for (const [word, enabled] of [
    ['pause', false],
    ['resume', true],
  ] as const) {
    command
      .command(word)
      .description(enabled ? 'send to a channel again, also what has gathered' : 'send nothing to a channel for now')
      .argument('<id>', 'id of the channel')
      .option('--json', 'print JSON')
      .action(async (id: string, options: { json?: boolean }) => {
        const channel = await (await connect()).updateNotificationChannel({ params: { id }, body: { enabled } });
        if (options.json) printJson(channel);
        else print(`${channel.id}  ${channel.enabled ? 'enabled' : 'paused'}`);
      });
  }
  command
    .command('rm')
    .description('delete a channel with its history')
    .argument('<id>', 'id of the channel')
    .option('--json', 'print JSON')
    .action(async (id: string, options: { json?: boolean }) => {
      await (await connect()).removeNotificationChannel({ params: { id } });
      if (options.json) printJson({ id, deleted: true });
      else print(`${id}  deleted`);
    });
  command
    .command('test')
    .description('send a test to a channel')
    .argument('<id>', 'id of the channel')
    .option('--json', 'print JSON')
    .action(async (id: string, options: { json?: boolean }) => {
      const { deliveryId } = await (await connect()).testNotificationChannel({ params: { id } });
      if (options.json) return printJson({ deliveryId });
      print(deliveryId);
      note('solyx notifications deliveries says what became of it.');
    });
  command
    .command('deliveries')
    .description('list what was told, newest first')
    .option('--channel <id>', 'only of this channel')
    .addOption(oneOf('--state <state>', 'only in this state', ['pending', 'sent', 'failed']))
    .option('--limit <n>', 'how many, 1–10000; default 50', whole(1, 10_000), 50)
    .option('--json', 'print JSON')
    .action(deliveries);
  command
    .command('replay')
    .description('send a delivery again: the same body under the same id')
    .argument('<id>', 'id of the delivery')
    .option('--json', 'print JSON')
    .action(async (id: string, options: { json?: boolean }) => {
      const delivery = await (await connect()).replayNotificationDelivery({ params: { id } });
      if (options.json) printJson(delivery);
      else print(`${delivery.id}  ${delivery.state}`);
    });
}

async function list(options: { json?: boolean }): Promise<void> {
  const client = await connect();
  const items = await collect((cursor) => client.listNotificationChannels({ query: { limit: 500, cursor } }), 1_000);
  if (options.json) return printJson({ items });
  printTable(
    items,
    [
      { title: 'ID', value: (channel) => channel.id },
      { title: 'NAME', value: (channel) => channel.name },
      { title: 'TO', value: (channel) => channel.url ?? channel.recipients?.join(', ') ?? '' },
      { title: 'PROJECT', value: (channel) => channel.project?.name ?? 'all' },
      { title: 'TELLS', value: (channel) => channel.events.join(', ') },
      { title: 'STATE', value: (channel) => (channel.enabled ? 'enabled' : 'paused') },
    ],
    'No channels. `solyx notifications add <name> --url …` makes one.',
  );
}

async function add(name: string, options: AddOptions): Promise<void> {
  const client = await connect();
  const channel = await client.createNotificationChannel({
    body: {
      name,
      url: options.url,
      recipients: options.to,
      project: options.project,
      ...(options.on && { events: options.on }),
      ...(options.stuckAfter !== undefined && { stuckAfterMinutes: options.stuckAfter }),
    },
  });
  if (options.json) return printJson(channel);
  print(channel.id);
  if (channel.secret === null) return;
  print(channel.secret);
  note('Signs each request (Solyx-Signature). Keep it now, it is not shown again.');
}

async function deliveries(options: {
  channel?: string;
  state?: 'pending' | 'sent' | 'failed';
  limit: number;
  json?: boolean;
}): Promise<void> {
  const client = await connect();
  const query = { channelId: options.channel, state: options.state, limit: Math.min(500, options.limit) };
  const items = await collect(
    (cursor) => client.listNotificationDeliveries({ query: { ...query, cursor } }),
    options.limit,
  );
  if (options.json) return printJson({ items });
  printTable(
    items,
    [
      { title: 'ID', value: (one) => one.id },
      { title: 'EVENT', value: (one) => one.event },
      { title: 'JOB', value: (one) => one.subject },
      { title: 'STATE', value: (one) => one.state },
      { title: 'TRIES', value: (one) => String(one.attempts), align: 'right' },
      { title: 'LAST', value: (one) => one.log.at(-1)?.error ?? String(one.log.at(-1)?.status ?? '–') },
      { title: 'MADE', value: (one) => relative(one.createdAt), align: 'right' },
    ],
    'Nothing was told.',
  );
}
