/** `solyx projects`: what a tenant divides its jobs, keys, secrets and shares by. */
import type { Command } from 'commander';
import { collect, connect } from '../connect.ts';
import { print, printJson, printTable, relative } from '../output.ts';

interface Options {
  json?: boolean;
}

export function projectsCommand(program: Command): void {
  const projects = program.command('projects').description('list or create the projects of the tenant');
  projects
    .command('list', { isDefault: true })
    .description('list projects')
    .option('--json', 'print JSON')
    .action(list);
  projects
    .command('create')
    .description('create a project; what it may use is set by `solyx quotas set --project`')
    .argument('<name>', 'what it is called; it keeps the name')
    .option('--json', 'print JSON')
    .action(create);
}

async function create(name: string, options: Options): Promise<void> {
  const project = await (await connect()).createProject({ body: { name } });
  if (options.json) printJson(project);
  else print(`${project.id}  ${project.name}`);
}

async function list(options: Options): Promise<void> {
  const client = await connect();
  const items = await collect((cursor) => client.listProjects({ query: { limit: 500, cursor } }), 100_000);
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
