/** `solyx agent`: makes this machine a node. */
import { join } from 'node:path';
import type { Command } from 'commander';
import { solyxHome } from '../../common/config/home.ts';
import { SolyxError } from '../../common/errors/index.ts';
import { exitCodes } from '../exit-codes.ts';
import { note } from '../output.ts';

interface AgentCommandOptions {
  server?: string;
  serverFile?: string;
  token?: string;
  tokenFile?: string;
  data?: string;
  name?: string;
  label: Record<string, string>;
  isolation?: string;
  hostNetwork?: boolean;
  logLevel: string;
}

export function agentCommand(program: Command): void {
  program
    .command('agent')
    .description('make this machine a node of a server')
    .option('--server <url>', 'URL of the control plane')
    .option('--server-file <file>', 'read the URL from this file before each connection')
    .option('--token <token>', 'join token (better: --token-file, or SOLYX_JOIN_TOKEN)')
    .option('--token-file <file>', 'read the join token from this file')
    .option('--data <directory>', 'where identity and attempts are kept; default: agent in the data directory')
    .option('--name <name>', 'name of the node; default: the host name')
    .option('--label <key=value>', 'label of the node; repeatable', addLabel, {})
    .option('--isolation <levels>', 'levels that you allow: sandbox, process, or both by comma', 'sandbox')
    .option('--host-network', 'let jobs use the network of this host')
    .option('--log-level <level>', 'least level that is logged', 'info')
    .action(agent);
}

function addLabel(text: string, labels: Record<string, string>): Record<string, string> {
  const at = text.indexOf('=');
  return { ...labels, [at < 0 ? text : text.slice(0, at)]: at < 0 ? '' : text.slice(at + 1) };
}

async function agent(options: AgentCommandOptions): Promise<void> {
  const server =
    options.server !== undefined
      ? { serverUrl: options.server }
      : options.serverFile !== undefined
        ? { serverFile: options.serverFile }
        : undefined;
  if (!server) throw new SolyxError('config_invalid', 'Say where the control plane is: --server URL.');
  const [{ runAgent }, { createLogger }] = await Promise.all([
    import('../../metapod/agent/index.ts'),
    import('../../common/logger.ts'),
  ]);
  const joinToken = options.token ?? (options.tokenFile ? { file: options.tokenFile } : process.env.SOLYX_JOIN_TOKEN);
  // Jobs inherit nothing of the agent, and neither should /proc/PID/environ keep the token longer than needed.
  delete process.env.SOLYX_JOIN_TOKEN;
  const outcome = await runAgent({
    dataDir: options.data ?? join(solyxHome(), 'agent'),
    server,
    logger: createLogger({ level: options.logLevel, name: 'agent' }),
    labels: options.label,
    hostNetwork: options.hostNetwork ?? false,
    isolation: options.isolation?.split(',').map((level) => level.trim()) ?? [],
    ...(joinToken !== undefined && { joinToken }),
    ...(options.name !== undefined && { name: options.name }),
  });
  if (outcome === 'revoked') {
    note('The control plane has revoked this node; nothing runs here any more.');
    process.exitCode = exitCodes.failed.code;
  }
}
