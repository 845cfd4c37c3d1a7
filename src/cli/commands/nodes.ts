/** `solyx nodes`: the machines of the fleet, and taking them out of it. */
import type { Command } from 'commander';
import colors from 'picocolors';
import type { CallAnswer } from '../../common/contract/client.ts';
import { type NodePresence, nodePresences } from '../../common/contract/states/node.ts';
import { formatBytes } from '../../common/units.ts';
import { oneOf } from '../arguments.ts';
import { collect, connect } from '../connect.ts';
import { print, printable, printJson, printTable, relative } from '../output.ts';
import { movesCommand } from './nodes-moves.ts';

type Node = CallAnswer<'listNodes'>['items'][number];

export function nodesCommand(program: Command): void {
  const nodes = program.command('nodes').description('list nodes, or take them out of service');
  nodes
    .command('list', { isDefault: true })
    .description('list nodes')
    .option('--site <id>', 'only nodes of this site')
    .addOption(oneOf('--presence <presence>', 'only nodes so present; removed ones show only so', nodePresences))
    .option('--json', 'print JSON')
    .action(list);
  nodes
    .command('show')
    .description('show one node with its devices')
    .argument('<id>', 'id of the node')
    .option('--json', 'print JSON')
    .action(show);
  movesCommand(nodes);
  for (const [name, words, call] of [
    ['cordon', 'give a node no new work; what runs goes on', 'cordonNode'],
    ['uncordon', 'give a node new work again', 'uncordonNode'],
    ['drain', 'give a node no new work until it is empty; what runs goes on to its end', 'drainNode'],
  ] as const) {
    nodes
      .command(name)
      .description(words)
      .argument('<id>', 'id of the node')
      .option('--json', 'print JSON')
      .action(async (id: string, options: { json?: boolean }) =>
        done(await (await connect())[call]({ params: { id } }), options),
      );
  }
  nodes
    .command('remove')
    .description('remove a node that is empty, or one that is certainly off')
    .argument('<id>', 'id of the node')
    .option('--powered-off', 'you vouch that the machine is off: its attempts have ended')
    .option('--json', 'print JSON')
    .action(async (id: string, options: { poweredOff?: boolean; json?: boolean }) =>
      done(
        await (await connect()).removeNode({ params: { id }, body: { poweredOff: options.poweredOff ?? false } }),
        options,
      ),
    );
}

function done(node: Node, options: { json?: boolean }): void {
  if (options.json) printJson(node);
  else print(`${node.id}  ${status(node)}`);
}

const status = (node: Node): string =>
  [node.presence, node.scheduling === 'open' ? '' : node.scheduling, node.health === 'ok' ? '' : node.health]
    .filter((word) => word !== '')
    .join(', ');

const share = (used: number, all: number, format: (value: number) => string): string =>
  `${format(used)} / ${format(all)}`;
const cores = (milli: number): string => String(Number((milli / 1000).toFixed(2)));

interface ListOptions {
  site?: string;
  presence?: NodePresence;
  json?: boolean;
}

async function list({ site, presence, json }: ListOptions): Promise<void> {
  const client = await connect();
  const items = await collect(
    (cursor) => client.listNodes({ query: { siteId: site, presence, limit: 500, cursor } }),
    100_000,
  );
  if (json) return printJson({ items });
  printTable(
    items,
    [
      { title: 'ID', value: (node) => node.id },
      { title: 'NAME', value: (node) => node.name },
      { title: 'SITE', value: (node) => node.site.name },
      {
        title: 'STATUS',
        value: status,
        paint: (text, node) => (node.presence === 'ready' ? colors.green(text) : colors.yellow(text)),
      },
      { title: 'ISOLATION', value: (node) => node.isolation.join(',') },
      { title: 'CORES', value: (node) => share(node.used.cpuMilli, node.capacity.cpuMilli, cores), align: 'right' },
      {
        title: 'MEMORY',
        value: (node) => share(node.used.memoryBytes, node.capacity.memoryBytes, formatBytes),
        align: 'right',
      },
      { title: 'DEVICES', value: (node) => String(node.deviceCount), align: 'right' },
      { title: 'HEARTBEAT', value: (node) => relative(node.lastHeartbeatAt), align: 'right' },
    ],
    'No nodes. `solyx up` runs one here; others join with `solyx agent --server URL --token T`.',
  );
}

async function show(id: string, options: { json?: boolean }): Promise<void> {
  const node = await (await connect()).getNode({ params: { id } });
  if (options.json) return printJson(node);
  print(`${colors.bold(printable(node.name))}  ${node.id}  ${status(node)}`);
  for (const reason of node.healthReasons) print(`  ${colors.yellow(printable(reason.message))}`);
  print(
    `  isolation ${node.isolation.join(', ') || 'none'}; host network ${node.hostNetwork ? 'allowed' : 'not allowed'}`,
  );
  printTable(
    node.devices,
    [
      { title: 'DEVICE', value: (device) => device.id },
      { title: 'KIND', value: (device) => device.kind },
      { title: 'MODEL', value: (device) => device.model },
      { title: 'MEMORY', value: (device) => formatBytes(device.memoryBytes), align: 'right' },
      { title: 'USED', value: (device) => `${device.usedMilli / 10} %`, align: 'right' },
      { title: 'HEALTH', value: (device) => device.health },
    ],
    '  No devices.',
  );
}
