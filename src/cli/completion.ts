/**
 * What may come next on a command line, for the shells' completion.
 *
 * The scripts that shells load only ask this command, so that they never go stale: commands and options come from the tree that
 * also makes the help, ids from the server, which is given little time, because somebody waits at the prompt.
 */
import type { Argument, Command, Option } from 'commander';

/** Things that have ids, by the word that an argument's description has for them; projects are called by their names. */
export type IdSource = 'job' | 'node' | 'site' | 'key' | 'project';

export interface CompletionSources {
  /** Newest ids of a kind; empty when no server answers in time. */
  ids(kind: IdSource): Promise<readonly string[]>;
}

/**
 * Lists what may stand where the last word is.
 * @param words words behind `solyx`, the last one being typed (may be empty)
 * @returns candidates that begin with the last word, sorted
 */
export async function complete(
  program: Command,
  words: readonly string[],
  sources: CompletionSources,
): Promise<string[]> {
  const typed = words.at(-1) ?? '';
  const { command, rest, operands } = descend(program, words.slice(0, -1));
  const previous = optionOf(command, rest.at(-1));
  const candidates = (await valuesOf(previous, sources)) ?? (await wordsOf(command, typed, operands, sources));
  return [...new Set(candidates)].filter((word) => word.startsWith(typed)).sort();
}

/** The deepest command that the words name, and what follows it. */
function descend(program: Command, words: readonly string[]) {
  let command = program;
  let at = 0;
  for (; at < words.length; at++) {
    const next = command.commands.find((sub) => sub.name() === words[at]);
    if (next === undefined) break;
    command = next;
  }
  const rest = words.slice(at);
  let operands = 0;
  rest.forEach((word, index) => {
    const before = optionOf(command, rest[index - 1]);
    if (!word.startsWith('-') && !(before && takesValue(before))) operands++;
  });
  return { command, rest, operands };
}

const takesValue = (option: Option): boolean => option.required || option.optional;

function optionOf(command: Command, word: string | undefined): Option | undefined {
  return word === undefined ? undefined : command.options.find(({ short, long }) => word === short || word === long);
}

/** What an option's value may be; undefined when the word before is none that takes one. */
async function valuesOf(
  option: Option | undefined,
  sources: CompletionSources,
): Promise<readonly string[] | undefined> {
  if (option === undefined || !takesValue(option)) return undefined;
  return option.argChoices ?? (await idsFor(`${option.flags} ${option.description}`, sources));
}

async function wordsOf(
  command: Command,
  typed: string,
  operands: number,
  sources: CompletionSources,
): Promise<readonly string[]> {
  const options = command.options.filter(({ hidden }) => !hidden).map(({ long, short }) => long ?? short ?? '');
  if (typed.startsWith('-')) return [...options, '--help'];
  const argument = argumentAt(command, operands);
  const values = argument === undefined ? [] : (argument.argChoices ?? (await idsFor(argument.description, sources)));
  return operands === 0 ? [...command.commands.map((sub) => sub.name()), ...values] : values;
}

function argumentAt(command: Command, index: number): Argument | undefined {
  const { registeredArguments } = command;
  const last = registeredArguments.at(-1);
  return registeredArguments[index] ?? (last?.variadic ? last : undefined);
}

async function idsFor(description: string, sources: CompletionSources): Promise<readonly string[]> {
  if (description.startsWith('--project <name>')) return sources.ids('project');
  const named = /\bids? of (?:the |a |an )?(job|node|site|key)/.exec(description);
  return named === null ? [] : sources.ids(named[1] as IdSource);
}
