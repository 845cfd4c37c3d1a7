/**
 * A commander program as Markdown: its own help and that of every command below it, as they print it.
 *
 * The help itself is the text, rather than a table made from its parts: what a person reads in the terminal and in the
 * document is then the same to the letter.
 */
import type { Command } from 'commander';

/** Width of the help in the document, columns; a terminal's own width must not change the document. */
const WIDTH = 100;

function sections(command: Command, path: string): string[] {
  command.configureHelp({ helpWidth: WIDTH });
  const own = ['', `## ${path}`, '', '```', command.helpInformation().trimEnd(), '```'];
  const visible = command.createHelp().visibleCommands(command);
  return [
    ...own,
    ...visible
      .filter((child) => child.name() !== 'help')
      .flatMap((child) => sections(child, `${path} ${child.name()}`)),
  ];
}

/** Everything below the title of docs/user/cli.md. */
export function renderCliHelp(program: Command): string {
  return sections(program, program.name()).join('\n').trimStart();
}
