/** `solyx agent`: makes this machine a node. */
import { join } from 'node:path';
import { type Command, InvalidArgumentError } from 'commander';
import { solyxHome } from '../../common/config/home.ts';
import { oneOf } from '../arguments.ts';
import { exitCodes } from '../exit-codes.ts';
import { note, printJson } from '../output.ts';

interface AgentCommandOptions {
  server?: string;
  serverFile?: string;
  token?: string;
  tokenFile?: string;
  data?: string;
  name?: string;
  label: Record<string, string>;
  isolation: string[];
  hostNetwork?: boolean;
  logLevel: string;
  json?: boolean;
}

const levels = ['sandbox', 'process'];

export function agentCommand(program: Command): void {
  program
    .command('agent')
    .description('make this machine a node of a server')
    .option('--server <url>', 'URL of the control plane', toUrl)
    .option('--server-file <file>', 'read the URL from this file before each connection')
    .option('--token <token>', 'join token; --token-file and SOLYX_JOIN_TOKEN keep it from other users of this machine')
    .option('--token-file <file>', 'read the join token from this file')
    .option('--data <directory>', 'where identity and attempts are kept; default: agent in the data directory')
    .option('--name <name>', 'name of the node; default: the host name')
    .option('--label <key=value>', 'label of the node; repeatable', addLabel, {})
    .option('--isolation <levels>', 'levels that you allow: sandbox, process, or both by comma', toLevels, ['sandbox'])
    .option('--host-network', 'let jobs use the network of this host')
    .addOption(
      oneOf('--log-level <level>', 'least level that is logged', ['trace', 'debug', 'info', 'warn', 'error']).default(
        'info',
      ),
    )
    .option('--json', 'print JSON when it has ended')
    .action(agent);
}

function toUrl(text: string): string {
  if (!/^https?:\/\//.test(text) || !URL.canParse(text)) {
    throw new InvalidArgumentError('Expected a URL like http://10.0.0.1:8080.');
  }
  return text;
}

function toLevels(text: string): string[] {
  const wanted = text.split(',').map((level) => level.trim());
  const unknown = wanted.find((level) => !levels.includes(level));
  if (unknown !== undefined) throw new InvalidArgumentError(`Expected some of ${levels.join(', ')}, not ${unknown}.`);
  return wanted;
}

function addLabel(text: string, labels: Record<string, string>): Record<string, string> {
  const at = text.indexOf('=');
  if (at < 1) throw new InvalidArgumentError('Expected key=value.');
  return { ...labels, [text.slice(0, at)]: text.slice(at + 1) };
}

async function agent(options: AgentCommandOptions, command: Command): Promise<void> {
  const { server: serverUrl, serverFile } = options;
  if (serverUrl === undefined && serverFile === undefined) {
    command.error("error: required option '--server <url>' not specified");
  }
  const [{ runAgent }, { createLogger }] = await Promise.all([
    import('../../metapod/agent/index.ts'),
    import('../../common/logger.ts'),
  ]);
  const joinToken = options.token ?? (options.tokenFile ? { file: options.tokenFile } : process.env.SOLYX_JOIN_TOKEN);
  // Jobs inherit nothing of the agent, and neither should what it starts.
  delete process.env.SOLYX_JOIN_TOKEN;
  const outcome = await runAgent({
    dataDir: options.data ?? join(solyxHome(), 'agent'),
    server: serverUrl !== undefined ? { serverUrl } : { serverFile: serverFile! },
    logger: createLogger({ level: options.logLevel, name: 'agent' }),
    labels: options.label,
    hostNetwork: options.hostNetwork ?? false,
    isolation: options.isolation,
    ...(joinToken !== undefined && { joinToken }),
    ...(options.name !== undefined && { name: options.name }),
  });
  if (options.json) printJson({ outcome });
  if (outcome === 'revoked') {
    note('The control plane has revoked this node; nothing runs here any more.');
    process.exitCode = exitCodes.failed.code;
  }
}
