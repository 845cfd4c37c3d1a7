/**
 * The agent as a process of its own: `node src/metapod/agent/main.ts --data-dir … (--server URL | --server-file PATH)`.
 *
 * The CLI starts it (`solyx agent`, and `solyx up` for the local node); a service manager may. Exit codes: 0 ended when
 * told to, 2 wrong arguments, 3 its token was revoked, 1 anything else.
 */
import { parseArgs } from 'node:util';
import { SolyxError } from '../../common/errors/index.ts';
import { trustCaFile } from '../../common/http/trust.ts';
import { createLogger } from '../../common/logger.ts';
import { runAgent } from './run-agent.ts';
import type { ServerAddress } from './server-address.ts';

const usage = `usage: main.ts --data-dir DIR (--server URL | --server-file FILE) [--token T | --token-file FILE]
  [--name NAME] [--label key=value]… [--isolation process,sandbox] [--host-network]
  [--image-dir DIR]… [--insecure-registry HOST]… [--container-driver runtime|podman|docker]… [--log-level LEVEL]
The join token may also come in SOLYX_JOIN_TOKEN, where other users of the machine do not see it.`;

async function main(): Promise<number> {
  const { values } = parseArgs({
    options: {
      'data-dir': { type: 'string' },
      server: { type: 'string' },
      'server-file': { type: 'string' },
      token: { type: 'string' },
      'token-file': { type: 'string' },
      name: { type: 'string' },
      label: { type: 'string', multiple: true },
      isolation: { type: 'string' },
      'image-dir': { type: 'string', multiple: true, default: [] },
      'container-driver': { type: 'string', multiple: true },
      'insecure-registry': { type: 'string', multiple: true, default: [] },
      'host-network': { type: 'boolean' },
      'log-level': { type: 'string', default: 'info' },
    },
  });
  const server: ServerAddress | undefined =
    values.server !== undefined
      ? { serverUrl: values.server }
      : values['server-file'] !== undefined
        ? { serverFile: values['server-file'] }
        : undefined;
  if (values['data-dir'] === undefined || server === undefined) {
    console.error(usage);
    return 2;
  }
  const joinToken =
    values.token ??
    (values['token-file'] === undefined ? process.env.SOLYX_JOIN_TOKEN : { file: values['token-file'] });
  trustCaFile(process.env.SOLYX_CA_FILE);
  const labels = Object.fromEntries((values.label ?? []).map((text) => splitLabel(text)));
  const outcome = await runAgent({
    dataDir: values['data-dir'],
    server,
    logger: createLogger({ level: values['log-level'], name: 'agent' }),
    labels,
    hostNetwork: values['host-network'] ?? false,
    images: { folders: values['image-dir'], insecureRegistries: values['insecure-registry'] },
    ...(values['container-driver'] !== undefined && { containerDrivers: values['container-driver'].map(driverOf) }),
    ...(joinToken !== undefined && { joinToken }),
    ...(values.name !== undefined && { name: values.name }),
    ...(values.isolation !== undefined && { isolation: values.isolation.split(',') }),
  });
  return outcome === 'revoked' ? 3 : 0;
}

function driverOf(text: string): 'runtime' | 'podman' | 'docker' {
  if (text === 'runtime' || text === 'podman' || text === 'docker') return text;
  throw new SolyxError('config_invalid', `"${text}" is no driver; expected runtime, podman or docker.`);
}

function splitLabel(text: string): [string, string] {
  const at = text.indexOf('=');
  return at < 0 ? [text, ''] : [text.slice(0, at), text.slice(at + 1)];
}

main().then(
  (code) => process.exit(code),
  (error) => {
    console.error(error instanceof SolyxError ? `${error.code}: ${error.message}\n${error.remedy}` : error);
    process.exit((error as { code?: string }).code?.startsWith('ERR_PARSE_ARGS') ? 2 : 1);
  },
);
