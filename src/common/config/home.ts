import { homedir } from 'node:os';
import { join, resolve } from 'node:path';

/** The data directory: `SOLYX_HOME`, default `~/.local/share/solyx`. */
export function solyxHome(env: NodeJS.ProcessEnv = process.env): string {
  if (env.SOLYX_HOME) return resolve(env.SOLYX_HOME);
  return join(env.HOME || homedir(), '.local', 'share', 'solyx');
}
