/** `solyx agent`: makes this machine a node. */
import { join } from 'node:path';
import { type Command, InvalidArgumentError } from 'commander';
import { solyxHome } from '../../common/config/home.ts';
import { parseBytes } from '../../common/units.ts';
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
  containerDriver?: Driver[];
  imageDir: string[];
  insecureRegistry: string[];
  imageSpace?: number;
  imagePullSeconds?: number;
  hostNetwork?: boolean;
  logLevel: string;
  json?: boolean;
}

const levels = ['sandbox', 'container', 'process'];
const drivers = ['runtime', 'podman', 'docker'] as const;
type Driver = (typeof drivers)[number];

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
    .option('--isolation <levels>', 'levels that you allow by comma: sandbox, container, process', toLevels, [
      'sandbox',
      'container',
    ])
    .option('--container-driver <drivers>', 'what may run containers, by comma: runtime, podman, docker', toDrivers)
    .option('--image-dir <directory>', 'where jobs may take images of this machine from; repeatable', addText, [])
    .option('--insecure-registry <host>', 'registry that is asked without encryption; repeatable', addText, [])
    .option('--image-space <bytes>', 'room for images on disk, like 50GiB', toBytes)
    .option('--image-pull-seconds <seconds>', 'longest time for bringing an image', toSeconds)
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

function toDrivers(text: string): Driver[] {
  return text.split(',').map((word) => {
    const found = drivers.find((driver) => driver === word.trim());
    if (found === undefined) throw new InvalidArgumentError(`Expected some of ${drivers.join(', ')}, not ${word}.`);
    return found;
  });
}

function toBytes(text: string): number {
  const bytes = parseBytes(text);
  if (bytes === undefined || bytes < 2 ** 20) throw new InvalidArgumentError('Expected bytes like 50GiB.');
  return bytes;
}

function toSeconds(text: string): number {
  const seconds = Number(text);
  if (!Number.isInteger(seconds) || seconds < 1) throw new InvalidArgumentError('Expected whole seconds.');
  return seconds;
}

const addText = (text: string, texts: string[]): string[] => [...texts, text];

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
    images: {
      folders: options.imageDir,
      insecureRegistries: options.insecureRegistry,
      ...(options.imageSpace !== undefined && { mostBytes: options.imageSpace }),
      ...(options.imagePullSeconds !== undefined && { pullSeconds: options.imagePullSeconds }),
    },
    ...(options.containerDriver !== undefined && { containerDrivers: options.containerDriver }),
    ...(joinToken !== undefined && { joinToken }),
    ...(options.name !== undefined && { name: options.name }),
  });
  if (options.json) printJson({ outcome });
  if (outcome === 'revoked') {
    note('The control plane has revoked this node; nothing runs here any more.');
    process.exitCode = exitCodes.failed.code;
  }
}
