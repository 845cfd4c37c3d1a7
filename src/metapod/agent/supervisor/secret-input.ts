/**
 * A job's secrets on their way from the agent to its supervisor: by the supervisor's standard input, and never by a file.
 *
 * The supervisor reads them to the end before it claims the attempt. Should the agent die in the middle, what arrived is no whole
 * JSON; the supervisor leaves without a claim, and the next agent asks the control plane again and starts another one.
 */
import type { Readable } from 'node:stream';

export interface SecretFile {
  /** A plain name, no path. */
  readonly name: string;
  readonly content: Buffer;
}

/** What a job is given, in memory only. */
export interface JobSecrets {
  readonly env: Readonly<Record<string, string>>;
  readonly files: readonly SecretFile[];
}

export const noSecrets: JobSecrets = { env: {}, files: [] };

/** Longest wait for an agent that stopped in the middle, ms. */
const patienceMs = 10_000;
const mostBytes = 16 * 1_048_576;

export const hasSecrets = ({ env, files }: JobSecrets): boolean => files.length > 0 || Object.keys(env).length > 0;

/** What the agent writes. */
export function encodeSecrets({ env, files }: JobSecrets): string {
  return JSON.stringify({
    env,
    files: files.map(({ name, content }) => ({ name, content: content.toString('base64') })),
  });
}

/** Reads what `encodeSecrets` made. @throws SyntaxError when it is not whole */
export function decodeSecrets(text: string): JobSecrets {
  const { env, files } = JSON.parse(text) as {
    env: Record<string, string>;
    files: { name: string; content: string }[];
  };
  return { env, files: files.map(({ name, content }) => ({ name, content: Buffer.from(content, 'base64') })) };
}

/** What the supervisor reads; undefined when it did not come whole. */
export async function readSecretInput(input: Readable): Promise<JobSecrets | undefined> {
  const parts: Buffer[] = [];
  let size = 0;
  const timer = setTimeout(() => input.destroy(), patienceMs);
  try {
    for await (const part of input as AsyncIterable<Buffer>) {
      size += part.length;
      if (size > mostBytes) return undefined;
      parts.push(part);
    }
    return decodeSecrets(Buffer.concat(parts).toString('utf8'));
  } catch {
    return undefined;
  } finally {
    clearTimeout(timer);
  }
}

/** Shortest text that is masked: shorter ones are words of their own. */
const shortestMask = 8;

/** Texts to hide in the job's log, longest first; of secrets with several lines each line. */
export function masksOf({ env, files }: JobSecrets): string[] {
  const texts = [...Object.values(env), ...files.map(({ content }) => content.toString('utf8'))];
  const lines = texts.flatMap((text) => text.split(/\r?\n/)).filter((line) => line.trim().length >= shortestMask);
  return [...new Set(lines)].sort((a, b) => b.length - a.length);
}
