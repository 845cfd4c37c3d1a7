/**
 * Opens a link in the person's own browser.
 *
 * A link that signs in must not stand among a program's arguments, where everybody on the machine can read it. So the browser is
 * handed a file that only its owner can read, which leads on to the link.
 */
import { spawn } from 'node:child_process';
import { mkdirSync, rmSync, writeFileSync } from 'node:fs';
import { join } from 'node:path';

/** An opener that said nothing wrong for so long has found a browser, ms. */
const patienceMs = 2_000;

/**
 * The program that opens files and links here; undefined where nobody would see a browser: no terminal (a script), no display,
 * or a session from elsewhere.
 */
export function openerOf(
  platform: NodeJS.Platform,
  env: Readonly<Record<string, string | undefined>>,
  isTerminal: boolean,
): string | undefined {
  if (!isTerminal || env.CI) return undefined;
  if (platform === 'darwin') return env.SSH_CONNECTION ? undefined : 'open';
  return env.DISPLAY || env.WAYLAND_DISPLAY ? 'xdg-open' : undefined;
}

/**
 * Opens a link.
 * @param opener program that takes a file as its argument
 * @param home folder of the owner's in which the file may lie; the next link replaces it
 * @returns whether a browser was found
 */
export async function openInBrowser(opener: string, url: string, home: string): Promise<boolean> {
  const file = join(home, 'open.html');
  mkdirSync(home, { recursive: true, mode: 0o700 });
  rmSync(file, { force: true });
  writeFileSync(file, pageTo(url), { mode: 0o600, flag: 'wx' });
  const child = spawn(opener, [file], { stdio: 'ignore', detached: true });
  return new Promise((resolve) => {
    const timer = setTimeout(() => done(true), patienceMs);
    const done = (found: boolean) => {
      clearTimeout(timer);
      child.unref();
      resolve(found);
    };
    child.once('error', () => done(false));
    child.once('exit', (code) => done(code === 0));
  });
}

/** A page that leads on at once. What could end an attribute is written as entities. */
function pageTo(url: string): string {
  const text = new URL(url).href.replace(/[&<>"']/g, (character) => `&#${character.charCodeAt(0)};`);
  return `<!doctype html>
<meta charset="utf-8">
<meta name="referrer" content="no-referrer">
<meta http-equiv="refresh" content="0; url=${text}">
<title>Solyx</title>
<p><a href="${text}">Open the console</a></p>
`;
}
