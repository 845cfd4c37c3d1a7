/** `solyx projects`: what a tenant divides its jobs, keys, secrets and shares by. Names are for people; what belongs to one knows its id. */
import type { Command } from 'commander';
import { SolyxError } from '../../common/errors/index.ts';
import { collect, connect } from '../connect.ts';
import { print, printJson, printTable, relative } from '../output.ts';

interface Options {
  json?: boolean;
}

export function projectsCommand(program: Command): void {
  const projects = program.command('projects').description('list, create, rename or delete the projects of the tenant');
  projects
    .command('list', { isDefault: true })
    .description('list projects')
    .option('--json', 'print JSON')
    .action(list);
  projects
    .command('create')
    .description('create a project; what it may use is set by `solyx quotas set --project`')
    .argument('<name>', 'what it is called')
    .option('--json', 'print JSON')
    .action(create);
  projects
    .command('rename')
    .description('give a project another name; specs that name the old one are refused from then on')
    .argument('<project>', 'its name or id')
    .argument('<name>', 'what it is called from now on')
    .option('--json', 'print JSON')
    .action(rename);
  projects
    .command('rm')
    .description(
      'delete a project that nothing belongs to: no jobs, keys, people, secrets, channels, reservations, shares',
    )
    .argument('<project>', 'its name or id')
    .option('--json', 'print JSON')
    .action(remove);
}

async function create(name: string, options: Options): Promise<void> {
  const project = await (await connect()).createProject({ body: { name } });
  if (options.json) printJson(project);
  else print(`${project.id}  ${project.name}`);
}

async function rename(project: string, name: string, options: Options): Promise<void> {
  const { id } = await find(project);
  const renamed = await (await connect()).updateProject({ params: { id }, body: { name } });
  if (options.json) printJson(renamed);
  else print(`${renamed.id}  ${renamed.name}`);
}

async function remove(project: string, options: Options): Promise<void> {
  const { id, name } = await find(project);
  await (await connect()).removeProject({ params: { id } });
  if (options.json) printJson({ id, name, deleted: true });
  else print(`${id}  ${name}  deleted`);
}

async function readAll() {
  const client = await connect();
  return collect((cursor) => client.listProjects({ query: { limit: 500, cursor } }), 100_000);
}

/** By id, or by name. @throws not_found */
async function find(project: string) {
  const found = (await readAll()).find(({ id, name }) => id === project || name === project);
  if (!found) throw new SolyxError('not_found', `No project ${project}; \`solyx projects\` lists them.`);
  return found;
}

async function list(options: Options): Promise<void> {
  const items = await readAll();
  if (options.json) return printJson({ items });
  printTable(
    items,
    [
      { title: 'ID', value: (project) => project.id },
      { title: 'NAME', value: (project) => project.name },
      { title: 'CREATED', value: (project) => relative(project.createdAt), align: 'right' },
    ],
    'No projects. `solyx projects create NAME` makes one.',
  );
}
