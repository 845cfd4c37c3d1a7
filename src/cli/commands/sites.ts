/** `solyx sites`: where the fleet stands, and at which prices. */
import { type Command, InvalidArgumentError } from 'commander';
import { decimal } from '../arguments.ts';
import { collect, connect } from '../connect.ts';
import { print, printable, printJson, printTable } from '../output.ts';

interface SiteOptions {
  latitude?: number;
  longitude?: number;
  gridZone?: string;
  pue?: number;
  devicePrice?: string;
  cpuPrice?: string;
  memoryPrice?: string;
  label?: Record<string, string>;
  json?: boolean;
}

const withSettings = (command: Command): Command =>
  command
    .option('--latitude <degrees>', 'degrees north', decimal(-90, 90))
    .option('--longitude <degrees>', 'degrees east', decimal(-180, 180))
    .option('--grid-zone <zone>', 'grid zone, like DE')
    .option('--pue <ratio>', 'power usage effectiveness, 1–10', decimal(1, 10))
    .option('--device-price <usd>', 'dollars an hour of a whole device')
    .option('--cpu-price <usd>', 'dollars an hour of a CPU core')
    .option('--memory-price <usd>', 'dollars an hour of a GiB')
    .option('--label <name=value>', 'label that jobs ask for as site/NAME; those given replace all', label)
    .option('--json', 'print JSON');

const bodyOf = (options: SiteOptions) => ({
  latitude: options.latitude,
  longitude: options.longitude,
  gridZone: options.gridZone,
  pue: options.pue,
  deviceUsdPerHour: options.devicePrice,
  cpuUsdPerHour: options.cpuPrice,
  memoryUsdPerHour: options.memoryPrice,
  labels: options.label,
});

/** Gathers `name=value`; what is no such text is told by the server. */
function label(text: string, before: Record<string, string> = {}): Record<string, string> {
  const at = text.indexOf('=');
  if (at < 1) throw new InvalidArgumentError('expected name=value');
  return { ...before, [text.slice(0, at)]: text.slice(at + 1) };
}

export function sitesCommand(program: Command): void {
  const sites = program.command('sites').description('list, create or change sites');
  sites.command('list', { isDefault: true }).description('list sites').option('--json', 'print JSON').action(list);
  withSettings(sites.command('create').description('create a site').argument('<name>', 'its name')).action(
    async (name: string, options: SiteOptions) => {
      const site = await (await connect()).createSite({ body: { name, ...bodyOf(options) } });
      if (options.json) printJson(site);
      else print(site.id);
    },
  );
  withSettings(sites.command('update').description('change a site').argument('<id>', 'id of the site')).action(
    async (id: string, options: SiteOptions) => {
      const site = await (await connect()).updateSite({ params: { id }, body: bodyOf(options) });
      if (options.json) printJson(site);
      else print(site.id);
    },
  );
}

async function list(options: { json?: boolean }): Promise<void> {
  const client = await connect();
  const items = await collect((cursor) => client.listSites({ query: { limit: 500, cursor } }), 10_000);
  if (options.json) return printJson({ items });
  printTable(
    items,
    [
      { title: 'ID', value: (site) => site.id },
      { title: 'NAME', value: (site) => site.name },
      { title: 'BACKEND', value: (site) => site.backend },
      { title: 'ZONE', value: (site) => site.gridZone ?? '–' },
      {
        title: 'LABELS',
        value: ({ labels }) =>
          Object.entries(labels)
            .map(([name, value]) => `${name}=${printable(value)}`)
            .join(',') || '–',
      },
      { title: 'PUE', value: (site) => String(site.pue), align: 'right' },
      { title: '$/DEVICE H', value: (site) => site.deviceUsdPerHour, align: 'right' },
      { title: '$/CORE H', value: (site) => site.cpuUsdPerHour, align: 'right' },
      { title: '$/GIB H', value: (site) => site.memoryUsdPerHour, align: 'right' },
    ],
    'No sites.',
  );
}
