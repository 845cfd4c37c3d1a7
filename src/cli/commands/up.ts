/**
 * `solyx up`: every component on one port with the database of the data directory, and an agent on this machine as a
 * second process that outlives it (contracts §11).
 */
import { mkdirSync } from 'node:fs';
import { join } from 'node:path';
import type { Command } from 'commander';
import colors from 'picocolors';
import { solyxHome } from '../../common/config/home.ts';
import { createClient } from '../../common/contract/client.ts';
import { release } from '../../common/release.ts';
import type { ComponentName, ControlPlane } from '../../main.ts';
import { port } from '../arguments.ts';
import { readAdminKey } from '../connect.ts';
import { builtDashboard } from '../dashboard-build.ts';
import { noteHomeMode } from '../home-mode.ts';
import { removeLocalServer, startTicks, writeLocalServer } from '../local-server.ts';
import { note, print, printJson } from '../output.ts';
import { untilSignal } from '../signals.ts';
import { fetchByNode } from '../transport.ts';

interface UpOptions {
  port?: number;
  host?: string;
  config?: string;
  node: boolean;
  json?: boolean;
}

/** A start that takes longer says what it waits for, milliseconds. */
const tellAfterMs = 3_000;

export function upCommand(program: Command): void {
  program
    .command('up')
    .description('run everything on this machine: control plane, database and a node agent')
    .option('--port <port>', 'port to listen on; 0 takes a free one', port)
    .option('--host <address>', 'address to listen on')
    .option('--config <file>', 'read this file instead of solyx.yaml in the data directory')
    .option('--no-node', 'run no agent on this machine')
    .option('--json', 'print JSON when it is ready')
    .action(up);
}

async function up(options: UpOptions): Promise<void> {
  // Before anything is started, so that Ctrl-C in the middle of the start ends what was started, too.
  const signalled = untilSignal();
  // Imported late: the other commands must not wait for the server's modules.
  const [{ claimHome, loadConfig }, { createLogger }, { components, startControlPlane }, { LocalAgent }] =
    await Promise.all([
      import('../../common/config/index.ts'),
      import('../../common/logger.ts'),
      import('../../main.ts'),
      import('../local-agent.ts'),
    ]);
  const config = loadConfig({
    file: options.config,
    overrides: {
      'server.port': options.port,
      'server.host': options.host,
      'node.enabled': options.node ? undefined : false,
    },
  });
  const home = solyxHome();
  const mode = claimHome(home);
  mkdirSync(join(home, 'logs'), { recursive: true, mode: 0o700 });
  const logFile = join(home, 'logs', 'control-plane.log');
  const logger = createLogger({ name: 'solyx', level: config.log.level, destination: logFile });
  note(colors.dim(`data in ${home}, log in ${logFile}`));
  noteHomeMode(home, mode, logger);

  const slow = setTimeout(() => note(colors.dim('starting the database; the first time takes longest …')), tellAfterMs);
  const names = Object.keys(components) as ComponentName[];
  const plane = await startControlPlane({
    config,
    home,
    logger,
    components: names,
    port: config.server.port,
    ownsHome: true,
    dashboard: builtDashboard(logger),
  }).finally(() => clearTimeout(slow));
  const agent = config.node.enabled ? new LocalAgent({ config, home, logger }) : undefined;
  const url = plane.urls.api!;
  try {
    // The command line and the agent of this machine; over TLS the certificate is in another name than loopback.
    const local = plane.localUrl ?? url;
    await writeLocalServer(home, {
      url: local,
      pid: process.pid,
      startTicks: startTicks(process.pid),
      version: release,
    });
    await agent?.start(() => makeJoinToken(home, local, plane));
    if (options.json) printJson({ ready: url, home, log: logFile });
    else print(`ready ${url}`);
    // To a person's terminal only: what a service writes ends in a log, where a link that signs in has no place.
    if (process.stderr.isTTY && !options.json) note(await consoleLink(home, local, url));
    note(colors.dim('In another terminal: npx solyx submit examples/train.yaml --follow'));
    const signal = await signalled;
    note(`\n${signal}: stopping control plane and database. Jobs go on; \`solyx down\` ends them too.`);
  } finally {
    agent?.leave();
    await removeLocalServer(home);
    await plane.stop();
  }
}

/** A link that opens the console signed in; how to get one when it cannot be made now, since that must not end the start. */
async function consoleLink(home: string, local: string, url: string): Promise<string> {
  const client = createClient({ url: local, apiKey: readAdminKey(home), fetch: fetchByNode });
  return client.createLoginLink({ body: { expiresInSeconds: 600 } }).then(
    (link) =>
      `open ${link.url ?? `${url}${link.path}`}  ${colors.dim('once, within 10 minutes; later: npx solyx open')}`,
    () => colors.dim('The console: npx solyx open'),
  );
}

/** A token with which the agent of this machine joins the local site, made the way an operator would. */
async function makeJoinToken(home: string, url: string, plane: ControlPlane): Promise<string> {
  const client = createClient({ url, apiKey: readAdminKey(home), fetch: fetchByNode });
  const key = await client.createKey({
    body: { name: 'local-agent', kind: 'join', siteId: plane.siteId, expiresInSeconds: 86_400 },
  });
  return key.secret;
}
