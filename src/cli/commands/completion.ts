/** `solyx completion bash|zsh`: the script that a shell loads; it asks `solyx completion words` at each press of Tab. */
import { Argument, type Command } from 'commander';
import { type CompletionSources, complete, type IdSource } from '../completion.ts';
import { print, printJson } from '../output.ts';

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
  program
    .command('completion')
    .description('print the script with which a shell completes commands and ids')
    .addArgument(
      new Argument('<shell>', 'shell that loads it; `words` is what the scripts ask').choices([
        ...Object.keys(scripts),
        'words',
      ]),
    )
    .argument('[words...]', 'with `words`: what stands behind `solyx`, the last one being typed')
    .option('--json', 'print JSON: the script, or what may come next')
    .action(run);
}

async function run(asked: keyof typeof scripts | 'words', words: string[], options: { json?: boolean }): Promise<void> {
  if (asked !== 'words') {
    if (options.json) printJson({ shell: asked, script: scripts[asked] });
    else print(scripts[asked].trimEnd());
    return;
  }
  const { makeProgram } = await import('../program.ts');
  const items = await complete(await makeProgram(), words, { ids });
  if (options.json) printJson({ items });
  else for (const word of items) print(word);
}

const ids: CompletionSources['ids'] = async (kind) => {
  const late = new Promise<readonly string[]>((resolve) => setTimeout(resolve, idsWithinMs, []).unref());
  return Promise.race([readIds(kind).catch(() => []), late]);
};

async function readIds(kind: IdSource): Promise<readonly string[]> {
  const { connect } = await import('../connect.ts');
  const client = await connect();
  if (kind === 'project') {
    const { items } = await client.listProjects({ query: { limit: mostIds } });
    return items.map(({ name }) => name);
  }
  const lists = {
    job: () => client.listJobs({ query: { limit: mostIds } }),
    node: () => client.listNodes({ query: { limit: mostIds } }),
    site: () => client.listSites({ query: { limit: mostIds } }),
    key: () => client.listKeys({ query: { limit: mostIds } }),
  } as const;
  const { items } = await lists[kind]();
  return items.map(({ id }) => id);
}
