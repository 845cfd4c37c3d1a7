/** `solyx completion bash|zsh`: the script that a shell loads; it asks `solyx completion words` at each press of Tab. */
import { Argument, type Command } from 'commander';
import { type CompletionSources, complete, type IdSource } from '../completion.ts';
import { print } from '../output.ts';

/** Ids must be there before somebody loses patience, milliseconds. */
const idsWithinMs = 1_500;
const mostIds = 50;

const scripts = {
  bash: `# bash completion of solyx. Load it with: source <(solyx completion bash)
_solyx() {
  local IFS=$'\\n'
  COMPREPLY=($(solyx completion words -- "\${COMP_WORDS[@]:1:COMP_CWORD}" 2>/dev/null))
}
complete -o default -F _solyx solyx
`,
  zsh: `#compdef solyx
# zsh completion of solyx. Load it with: source <(solyx completion zsh), after compinit
_solyx() {
  local -a candidates
  candidates=("\${(@f)$(solyx completion words -- "\${(@)words[2,CURRENT]}" 2>/dev/null)}")
  if [[ -n "\${candidates[1]}" ]]; then compadd -a candidates; else _files; fi
}
compdef _solyx solyx
`,
} as const;

export function completionCommand(program: Command): void {
  const completion = program
    .command('completion')
    .description('print the script with which a shell completes commands');
  completion
    .command('script', { isDefault: true, hidden: true })
    .addArgument(new Argument('<shell>', 'shell that loads it').choices(Object.keys(scripts)))
    .action((shell: keyof typeof scripts) => print(scripts[shell].trimEnd()));
  completion
    .command('words', { hidden: true })
    .argument('[words...]', 'words behind `solyx`, the last one being typed')
    .action(async (words: string[]) => {
      const { makeProgram } = await import('../program.ts');
      for (const word of await complete(await makeProgram(), words, { ids })) print(word);
    });
}

const ids: CompletionSources['ids'] = async (kind) => {
  const late = new Promise<readonly string[]>((resolve) => setTimeout(resolve, idsWithinMs, []).unref());
  return Promise.race([readIds(kind).catch(() => []), late]);
};

async function readIds(kind: IdSource): Promise<readonly string[]> {
  const { connect } = await import('../connect.ts');
  const client = await connect();
  const lists = {
    job: () => client.listJobs({ query: { limit: mostIds } }),
    node: () => client.listNodes({ query: { limit: mostIds } }),
    site: () => client.listSites({ query: { limit: mostIds } }),
    key: () => client.listKeys({ query: { limit: mostIds } }),
  } as const;
  const { items } = await lists[kind]();
  return items.map(({ id }) => id);
}
