/** `solyx tenants`: for operators, those who share the fleet and see nothing of each other. */
import type { Command } from 'commander';
import { SolyxError } from '../../common/errors/index.ts';
import { collect, connect } from '../connect.ts';
import { note, print, printJson, printTable, relative } from '../output.ts';

interface Options {
  json?: boolean;
}

export function tenantsCommand(program: Command): void {
  const tenants = program.command('tenants').description('operators: list, create or rename tenants');
  tenants.command('list', { isDefault: true }).description('list tenants').option('--json', 'print JSON').action(list);
  tenants
    .command('create')
    .description('create a tenant with a project and an admin key, whose secret is shown once')
    .argument('<name>', 'what it is called')
    .option('--project <name>', 'what its first project is called', 'default')
    .option('--json', 'print JSON')
    .action(create);
  tenants
    .command('rename')
    .description('give a tenant another name; what belongs to it knows it by its id')
    .argument('<tenant>', 'its name or id')
    .argument('<name>', 'what it is called from now on')
    .option('--json', 'print JSON')
    .action(rename);
}

/** The secret alone on stdout, so that it can be piped to where it belongs. */
async function create(name: string, { project, json }: Options & { project: string }): Promise<void> {
  const tenant = await (await connect()).createTenant({ body: { name, project } });
  if (json) return printJson(tenant);
  print(tenant.key.secret);
  note(`${tenant.id}  ${tenant.name}, with project ${tenant.project.name}`);
  note(`${tenant.key.id}: its admin key; keep it now, it is not shown again.`);
}

async function rename(tenant: string, name: string, { json }: Options): Promise<void> {
  const found = (await readAll()).find((one) => one.id === tenant || one.name === tenant);
  if (!found) throw new SolyxError('not_found', `No tenant ${tenant}; \`solyx tenants\` lists them.`);
  const renamed = await (await connect()).updateTenant({ params: { id: found.id }, body: { name } });
  if (json) printJson(renamed);
  else print(`${renamed.id}  ${renamed.name}`);
}

async function readAll() {
  const client = await connect();
  return collect((cursor) => client.listTenants({ query: { limit: 500, cursor } }), 100_000);
}

async function list(options: Options): Promise<void> {
  const items = await readAll();
  if (options.json) return printJson({ items });
  printTable(
    items,
    [
      { title: 'ID', value: (tenant) => tenant.id },
      { title: 'NAME', value: (tenant) => tenant.name },
      { title: 'OPERATOR', value: (tenant) => (tenant.operator ? 'yes' : '–') },
      { title: 'CREATED', value: (tenant) => relative(tenant.createdAt), align: 'right' },
    ],
    'No tenants.',
  );
}
