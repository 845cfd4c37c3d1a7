/** `solyx serve`: some components, for a fleet of replicas on one PostgreSQL. */
import { type Command, InvalidArgumentError } from 'commander';
import { solyxHome } from '../../common/config/home.ts';
import type { ComponentName } from '../../main.ts';
import { port } from '../arguments.ts';
import { builtDashboard } from '../dashboard-build.ts';
import { noteHomeMode } from '../home-mode.ts';
import { print, printJson } from '../output.ts';
import { untilSignal } from '../signals.ts';

/** Names of the components; a test holds them equal to those of main.ts, which is too heavy to load for a help text. */
export const componentNames = [
  'api',
  'tracker',
  'scheduler',
  'orchestrator',
  'monitoring',
] as const satisfies ComponentName[];

interface ServeOptions {
  port?: number;
  host?: string;
  config?: string;
  json?: boolean;
}

export function serveCommand(program: Command): void {
  program
    .command('serve')
    .description('run components as replicas on one PostgreSQL (database.url), each on its own port')
    .argument('<component...>', `all, or some of ${componentNames.join(', ')}`, toComponents, [])
    .option('--port <port>', 'one port for all of them; 0 takes a free one', port)
    .option('--host <address>', 'address to listen on')
    .option('--config <file>', 'read this file instead of solyx.yaml in the data directory')
    .option('--json', 'print JSON when they are ready')
    .action(serve);
}

function toComponents(text: string, before: ComponentName[]): ComponentName[] {
  if (text === 'all') return [...componentNames];
  const name = componentNames.find((candidate) => candidate === text);
  if (!name) throw new InvalidArgumentError(`Expected all or ${componentNames.join(', ')}.`);
  return before.includes(name) ? before : [...before, name];
}

async function serve(names: ComponentName[], options: ServeOptions): Promise<void> {
  const signalled = untilSignal();
  const [{ claimHome, loadConfig }, { createLogger }, { startControlPlane }] = await Promise.all([
    import('../../common/config/index.ts'),
    import('../../common/logger.ts'),
    import('../../main.ts'),
  ]);
  const config = loadConfig({ file: options.config, overrides: { 'server.host': options.host } });
  const home = solyxHome();
  const mode = claimHome(home);
  const logger = createLogger({ name: 'solyx', level: config.log.level });
  noteHomeMode(home, mode, logger);
  const plane = await startControlPlane({
    config,
    home,
    logger,
    components: names,
    port: options.port,
    ...(names.includes('api') && { dashboard: builtDashboard(logger) }),
  });
  const groups = [...Map.groupBy(names, (name) => plane.urls[name]!)].map(([url, group]) => ({
    url,
    components: group,
  }));
  if (options.json) printJson({ ready: groups });
  else for (const { url, components } of groups) print(`ready ${url} ${components.join(' ')}`);
  const signal = await signalled;
  logger.info({ signal }, 'stopping');
  await plane.stop();
}
