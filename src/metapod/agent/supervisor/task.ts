/**
 * What a supervisor is to do, as it learns of it.
 *
 * Usually the attempt's folder is an argument. A spare (see `spare.ts`) was started before there was an attempt: it loads what a
 * start needs, makes the pipes, and then waits for one line on its standard input, which names the folder and carries the secrets.
 * When the agent goes away without that line, or in the middle of it, the spare leaves, and leaves nothing behind.
 */
import { rmSync, writeFileSync } from 'node:fs';
import { join } from 'node:path';
import type { Readable } from 'node:stream';
import { failpoint } from '../../../common/failpoints.ts';
import { makeOutputPipes, type OutputPipes } from '../pipes.ts';
import { rehearse } from './rehearsal.ts';
import { decodeSecrets, encodeSecrets, type JobSecrets, readSecretInput } from './secret-input.ts';

export interface Task {
  /** The attempt's folder. */
  readonly dir: string;
  /** What the agent gives; undefined when it did not come whole. */
  readonly secrets: () => Promise<JobSecrets | undefined>;
  /** Made already, or to be made in the folder. */
  readonly pipes: OutputPipes | undefined;
}

/** The argument that makes a spare; its folder follows. */
export const spareFlag = '--spare';

/** Exists while a spare waits with everything done that it can do. */
export const readyFile = (folder: string, pid: number): string => join(folder, `${pid}.ready`);

const mostBytes = 32 * 1_048_576;

/** The line that a spare waits for. */
export const encodeTask = (dir: string, secrets: JobSecrets): string =>
  `${JSON.stringify({ dir, secrets: encodeSecrets(secrets) })}\n`;

/**
 * @param words arguments of the process
 * @returns undefined when a spare is not wanted any more
 * @throws Error on wrong arguments, or when a spare cannot make its pipes
 */
export async function readTask(words: readonly string[], input: Readable): Promise<Task | undefined> {
  const [first, folder] = words;
  if (first === undefined) throw new Error('usage: main.ts <attempt directory> | --spare <directory>');
  if (first !== spareFlag) return { dir: first, secrets: () => readSecretInput(input), pipes: undefined };
  if (folder === undefined) throw new Error('usage: main.ts --spare <directory>');
  const pipes = makeOutputPipes(`${folder}/${process.pid}.`);
  // Of the way that most jobs take; other isolation is loaded when it is asked for.
  await rehearse(`${folder}/${process.pid}`);
  const mark = readyFile(folder, process.pid);
  writeFileSync(mark, '');
  const line = await readLine(input);
  rmSync(mark, { force: true });
  if (line === undefined) return undefined;
  const { dir, secrets } = JSON.parse(line) as { dir: string; secrets: string };
  process.title = `solyx-supervisor ${dir}`;
  failpoint('spare.before-claim');
  return { dir, secrets: async () => decodeSecrets(secrets), pipes };
}

/** The first line; undefined when the input ends before it does. */
async function readLine(input: Readable): Promise<string | undefined> {
  const parts: Buffer[] = [];
  let size = 0;
  try {
    for await (const part of input as AsyncIterable<Buffer>) {
      size += part.length;
      if (size > mostBytes) return undefined;
      parts.push(part);
      if (part.at(-1) === 0x0a) return Buffer.concat(parts).toString('utf8');
    }
  } catch {
    // As good as an end.
  }
  return undefined;
}
