/**
 * Secrets as files, mode 0400, in memory and never on a disk.
 *
 * A sandbox has a tmpfs of its own at `/run/secrets`, filled by the last script, which comes by a descriptor; it goes with the
 * sandbox's mounts, however the job ends. Isolation `process` has no mounts of its own: there they lie in a directory of mode 0700
 * in /dev/shm, whose name follows from the attempt, so that supervisor, guardian and whoever destroys the attempt can all delete it.
 */
import { chmodSync, lstatSync, mkdirSync, rmSync, statfsSync, writeFileSync } from 'node:fs';
import { join } from 'node:path';
import type { SecretFile } from '../supervisor/secret-input.ts';
import { shellQuote } from './shell-quote.ts';

/** Where a sandboxed job finds them. */
export const insideSecrets = '/run/secrets';
const memory = '/dev/shm';
/** tmpfs, statfs(2). */
const tmpfsType = 0x01021994;
const pageBytes = 4096;

/** Size of a tmpfs that holds the files, bytes. */
export function secretsTmpfsBytes(files: readonly SecretFile[]): number {
  const pages = files.reduce((sum, { content }) => sum + Math.ceil(content.length / pageBytes) + 1, 16);
  return pages * pageBytes;
}

/** Lines of a shell script that write the files; `printf` is part of every shell, so no value is ever an argument of a program. */
export function secretFileLines(files: readonly SecretFile[]): string[] {
  return files.map(({ name, content }) => {
    const target = shellQuote(`${insideSecrets}/${name}`);
    return `(umask 0277; printf ${shellQuote(octal(content))} > ${target}) || { echo "a secret cannot be written" >&3; exit 125; }`;
  });
}

/** Every byte but letters and digits as `\ooo`: whatever it is, no shell takes it for something else. */
function octal(content: Buffer): string {
  let text = '';
  for (const byte of content) {
    const isPlain = (byte >= 48 && byte <= 57) || (byte >= 65 && byte <= 90) || (byte >= 97 && byte <= 122);
    text += isPlain ? String.fromCharCode(byte) : `\\${byte.toString(8).padStart(3, '0')}`;
  }
  return text;
}

/** Directory of an attempt of isolation `process`. */
export const secretsDirectory = (attemptId: string, rank: number): string =>
  join(memory, `solyx-secrets-${attemptId}.${rank}`);

/** Writes the files. @throws Error where there is no memory to write to, or somebody else has taken the name */
export function writeSecretFiles(directory: string, files: readonly SecretFile[]): void {
  if (statfsSync(memory).type !== tmpfsType)
    throw new Error(`${memory} is no tmpfs; secrets are not written to a disk`);
  removeSecretFiles(directory);
  mkdirSync(directory, { mode: 0o700 });
  for (const { name, content } of files) {
    writeFileSync(join(directory, name), content, { mode: 0o400, flag: 'wx' });
    chmodSync(join(directory, name), 0o400);
  }
}

/** Deletes them; of another user nothing. */
export function removeSecretFiles(directory: string): void {
  const stat = lstatSync(directory, { throwIfNoEntry: false });
  if (stat?.isDirectory() && stat.uid === process.getuid?.()) rmSync(directory, { recursive: true, force: true });
}
