/** The completion scripts in the shells that they are for. */
import { execFileSync, spawnSync } from 'node:child_process';
import { mkdtempSync, rmSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join, resolve } from 'node:path';
import { afterAll, beforeAll, describe, expect, it } from 'vitest';

const bin = resolve(import.meta.dirname, '..', '..', '..', 'bin');
const has = (shell: string) => spawnSync(shell, ['-c', 'true']).status === 0;
let home = '';
beforeAll(() => {
  home = mkdtempSync(join(tmpdir(), 'solyx-completion-'));
});
afterAll(() => rmSync(home, { recursive: true, force: true }));

/** Loads the script as its first line says, and then does `ask`. @returns the lines that it printed */
function inShell(shell: 'bash' | 'zsh', before: string, ask: string): string[] {
  const flags = shell === 'zsh' ? ['-f'] : ['--norc'];
  const script = `${before}\nsource <(solyx completion ${shell})\n${ask}`;
  const env = { PATH: `${bin}:${process.env.PATH}`, HOME: home, SOLYX_HOME: join(home, 'none'), TERM: 'dumb' };
  return execFileSync(shell, [...flags, '-c', script], { env, encoding: 'utf8' })
    .trim()
    .split('\n');
}

describe.skipIf(!has('bash'))(`bash${has('bash') ? '' : ': not on this machine'}`, () => {
  const ask = (words: string[]) =>
    inShell(
      'bash',
      '',
      `COMP_WORDS=(${words.join(' ')}); COMP_CWORD=${words.length - 1}
       handler=$(complete -p solyx | sed -E 's/.*-F ([^ ]+).*/\\1/'); "$handler" solyx; printf '%s\\n' "\${COMPREPLY[@]}"`,
    );
  it('completes commands and options', () => {
    expect(ask(['solyx', 'quo'])).toEqual(['quotas']);
    expect(ask(['solyx', 'submit', '--dry'])).toEqual(['--dry-run']);
  });
});

describe.skipIf(!has('zsh'))(`zsh${has('zsh') ? '' : ': not on this machine'}`, () => {
  const ask = (words: string[]) =>
    inShell(
      'zsh',
      `autoload -Uz compinit; compinit -u -d ${join(home, 'dump')}`,
      // What zsh's line editor would be given.
      `compadd() { print -rl -- "\${candidates[@]}" }
       words=(${words.join(' ')}); CURRENT=${words.length}; "\${_comps[solyx]}"`,
    );
  it('completes commands and options', () => {
    expect(ask(['solyx', 'quo'])).toEqual(['quotas']);
    expect(ask(['solyx', 'submit', '--dry'])).toEqual(['--dry-run']);
  });
});
