/** `solyx login`, `logout`, `whoami`: who this command line is at which server. */
import type { Command } from 'commander';
import colors from 'picocolors';
import { solyxHome } from '../../common/config/home.ts';
import { createClient } from '../../common/contract/client.ts';
import { SolyxError } from '../../common/errors/index.ts';
import { connect, serverUrl } from '../connect.ts';
import { loginFile, removeLogin, writeLogin } from '../login-file.ts';
import { note, print, printable, printJson } from '../output.ts';
import { readSecret } from '../secret-input.ts';
import { fetchByNode } from '../transport.ts';

export function loginCommand(program: Command): void {
  program
    .command('login')
    .description('keep URL and API key of a server elsewhere for later commands')
    .argument('<url>', 'URL of the server, like https://solyx.example.com')
    .option('--json', 'print JSON')
    .addHelpText('after', '\nThe key is asked for, or read from standard input: solyx login URL < key-file')
    .action(login);
}

export function logoutCommand(program: Command): void {
  program
    .command('logout')
    .description('forget the server that `solyx login` kept')
    .option('--json', 'print JSON')
    .action(logout);
}

export function whoamiCommand(program: Command): void {
  program
    .command('whoami')
    .description('show server, tenant, user and role of this command line')
    .option('--json', 'print JSON')
    .action(whoami);
}

async function login(url: string, options: { json?: boolean }): Promise<void> {
  const base = checkUrl(url);
  const apiKey = await readSecret(`API key of ${base}: `);
  if (!apiKey.startsWith('sx_api_')) throw new SolyxError('unauthenticated', 'An API key begins with sx_api_.');
  const me = await createClient({ url: base, apiKey, fetch: fetchByNode }).whoami();
  const home = solyxHome();
  writeLogin(home, { url: base, apiKey });
  if (options.json) return printJson({ url: base, ...me });
  print(`signed in to ${base} as ${nameOf(me)}`);
  note(colors.dim(`kept in ${loginFile(home)}; \`solyx logout\` forgets it`));
}

function checkUrl(text: string): string {
  if (!URL.canParse(text) || !/^https?:$/.test(new URL(text).protocol)) {
    throw new SolyxError('bad_request', `${text} is no URL; expected https://…`);
  }
  const { protocol, hostname, origin, username, pathname } = new URL(text);
  if (username !== '') throw new SolyxError('bad_request', 'The URL must hold no user name or password.');
  if (protocol === 'http:' && !/^(localhost|127(\.\d+){3}|\[::1\])$/.test(hostname)) {
    note(colors.yellow(`Everything on the way to ${origin} can read this key: it is no https.`));
  }
  return `${origin}${pathname}`.replace(/\/+$/, '');
}

function logout(options: { json?: boolean }): void {
  const had = removeLogin(solyxHome());
  if (options.json) {
    printJson({ forgotten: had });
    return;
  }
  print(had ? 'forgotten; the key itself still works until it is revoked' : 'nothing was kept');
}

type Me = Awaited<ReturnType<Awaited<ReturnType<typeof connect>>['whoami']>>;

const nameOf = (me: Me): string =>
  printable([me.user?.name ?? `key ${me.keyId}`, me.user?.email && `<${me.user.email}>`].filter(Boolean).join(' '));

async function whoami(options: { json?: boolean }): Promise<void> {
  const url = await serverUrl();
  const me = await (await connect()).whoami();
  if (options.json) return printJson({ url, ...me });
  const facts = [
    ['Server', url],
    ['User', nameOf(me)],
    ['Role', me.role + (me.operator ? ', of the operator' : '')],
    ['Tenant', `${me.tenant.name}  ${me.tenant.id}`],
    ['Project', `${me.project.name}  ${me.project.id}`],
  ] as const;
  for (const [name, value] of facts) print(`${colors.dim(name.padEnd(8))} ${printable(value)}`);
}
