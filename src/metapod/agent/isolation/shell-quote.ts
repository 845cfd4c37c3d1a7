/** Quoting for the small shell scripts that build a sandbox: single quotes, in which sh interprets nothing. */

/** @throws Error on a NUL byte, which no argument of a process can carry */
export function shellQuote(text: string): string {
  if (text.includes('\0')) throw new Error('a command or environment value contains a NUL byte');
  return `'${text.replaceAll("'", "'\\''")}'`;
}

/** Names that `export` accepts; others cannot be handed over by a shell. */
export const isShellName = (name: string) => /^[A-Za-z_][A-Za-z0-9_]*$/.test(name);
