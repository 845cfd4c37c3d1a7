/** `solyx open`: the console in a browser, signed in by a link that works once. */
import type { Command } from 'commander';
import colors from 'picocolors';
import { solyxHome } from '../../common/config/home.ts';
import { whole } from '../arguments.ts';
import { openerOf, openInBrowser } from '../browser.ts';
import { connect, serverUrl } from '../connect.ts';
import { note, print, printJson } from '../output.ts';

export function openCommand(program: Command): void {
  program
    .command('open')
    .description('open the console in a browser, signed in, and print the link, which works once')
    .option('--for <seconds>', 'how long the link works, 60–600; default 300', whole(60, 600))
    .option('--no-browser', 'only print the link')
    .option('--json', 'print JSON, open no browser')
    .action(open);
}

async function open(options: { for?: number; browser: boolean; json?: boolean }): Promise<void> {
  const client = await connect();
  const link = await client.createLoginLink({ body: { expiresInSeconds: options.for } });
  const url = link.url ?? `${await serverUrl()}${link.path}`;
  if (options.json) return printJson({ url, expiresAt: link.expiresAt });
  print(url);
  note(colors.dim(`works once, until ${link.expiresAt}; whoever opens it is you`));
  const opener = options.browser ? openerOf(process.platform, process.env, process.stdout.isTTY) : undefined;
  if (opener !== undefined && !(await openInBrowser(opener, url, solyxHome()))) {
    note(colors.dim(`${opener} opens no browser here; open the link yourself`));
  }
}
