/** Reads a secret from the terminal without showing it, or from a pipe. Never from the command line, where `ps` shows it. */
import { SolyxError } from '../common/errors/index.ts';
import { readBounded } from './read-bounded.ts';

/** Most characters of a secret; more is somebody's file. */
const most = 4_096;

/**
 * Asks for a secret.
 * @param question written to stderr when there is a terminal
 * @throws bad_request when nothing is given
 */
export async function readSecret(question: string): Promise<string> {
  const secret = (process.stdin.isTTY ? await fromTerminal(question) : readBounded(0, most).toString('utf8')).trim();
  if (secret === '') throw new SolyxError('bad_request', 'Nothing was entered.');
  if (secret.length > most) throw new SolyxError('bad_request', `What was entered is longer than ${most} characters.`);
  return secret;
}

function fromTerminal(question: string): Promise<string> {
  const { stdin, stderr } = process;
  // Before the question: what is pasted as soon as it shows must not be shown either.
  stdin.setRawMode(true);
  stderr.write(question);
  stdin.setEncoding('utf8');
  stdin.resume();
  return new Promise((resolve, reject) => {
    let typed = '';
    const finish = (end: () => void) => {
      stdin.off('data', take);
      stdin.setRawMode(false);
      stdin.pause();
      stderr.write('\n');
      end();
    };
    const take = (chunk: string) => {
      for (const character of chunk) {
        if (character === '\r' || character === '\n' || character === '\u0004') return finish(() => resolve(typed));
        if (character === '\u0003') return finish(() => reject(new SolyxError('bad_request', 'Interrupted.')));
        if (character === '\u007f' || character === '\b') typed = typed.slice(0, -1);
        else if (typed.length < most) typed += character;
      }
    };
    stdin.on('data', take);
  });
}
