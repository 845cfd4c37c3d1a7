/** Starts the process that unpacks, and listens to it. */
import { spawn } from 'node:child_process';
import { createInterface } from 'node:readline';
import { fileURLToPath } from 'node:url';
import { PullError, type PullErrorCode, pullErrorCodes } from './pull-error.ts';
import type { UnpackAnswer, UnpackTask } from './unpack-main.ts';

const main = fileURLToPath(new URL('./unpack-main.ts', import.meta.url));
/** Longest time without a word of progress, ms. */
const silenceMs = 120_000;

/**
 * @param nodeBinary the Node (≥ 24) that unpacks
 * @param onBytes how many bytes are written so far
 * @returns bytes of all files
 * @throws PullError; Error with code ENOSPC when the disk is full
 */
export function unpackImage(
  task: UnpackTask,
  nodeBinary: string,
  onBytes: (bytes: number) => void,
  signal?: AbortSignal,
): Promise<number> {
  return new Promise((resolve, reject) => {
    const { PATH = '/usr/bin:/bin', NODE_COMPILE_CACHE } = process.env;
    const child = spawn(nodeBinary, ['--disable-warning=ExperimentalWarning', main], {
      stdio: ['pipe', 'pipe', 'pipe'],
      env: { PATH, ...(NODE_COMPILE_CACHE !== undefined && { NODE_COMPILE_CACHE }) },
    });
    let answer: UnpackAnswer | undefined;
    let words = '';
    let isSilent = false;
    const silence = setTimeout(() => {
      isSilent = true;
      child.kill('SIGKILL');
    }, silenceMs);
    const abort = () => child.kill('SIGKILL');
    signal?.addEventListener('abort', abort);
    child.stderr.on('data', (bytes: Buffer) => {
      words = (words + bytes.toString()).slice(-2000);
    });
    createInterface({ input: child.stdout }).on('line', (line) => {
      silence.refresh();
      const said = JSON.parse(line) as UnpackAnswer;
      if (said.kind === 'progress') onBytes(said.bytes);
      else answer = said;
    });
    child.stdin.on('error', () => undefined);
    child.stdin.write(`${JSON.stringify(task)}\n`);
    const settle = (error?: Error) => {
      clearTimeout(silence);
      signal?.removeEventListener('abort', abort);
      if (error !== undefined) reject(error);
      else if (answer?.kind === 'done') resolve(answer.bytes);
      else if (answer?.kind === 'error') reject(errorOf(answer));
      else if (signal?.aborted) reject(new PullError('image_timeout', 'it was given up while it was unpacked'));
      else if (isSilent) reject(new PullError('image_timeout', `unpacking stood still for ${silenceMs / 1000} s`));
      else reject(new Error(`unpacking ended without a word: ${words.trim()}`));
    };
    child.once('error', settle);
    child.once('close', () => settle());
  });
}

function errorOf({ code, message }: Extract<UnpackAnswer, { kind: 'error' }>): Error {
  if (code !== null && (pullErrorCodes as readonly string[]).includes(code)) {
    return new PullError(code as PullErrorCode, message);
  }
  if (code === 'ENOSPC' || code === 'EDQUOT') return new PullError('image_no_space', 'the disk of this node is full');
  return Object.assign(new Error(message), { code });
}
