/** Reads a job spec. What is wrong in it as YAML is told with line and column here; the rest is the server's to judge. */
import { SolyxError } from '../common/errors/index.ts';
import { readBounded } from './read-bounded.ts';

/** Largest spec that a server takes, bytes. */
const mostBytes = 2 ** 20;

/**
 * @param file path, or `-` for standard input
 * @throws job_spec_invalid, invalid_yaml, body_too_large
 */
export async function readSpec(file: string): Promise<Record<string, unknown>> {
  const name = file === '-' ? 'standard input' : file;
  let bytes: Buffer;
  try {
    bytes = readBounded(file === '-' ? 0 : file, mostBytes);
  } catch (error) {
    throw new SolyxError('job_spec_invalid', {
      detail: `${name} cannot be read: ${(error as Error).message}.`,
      cause: error,
    });
  }
  if (bytes.length > mostBytes) throw new SolyxError('body_too_large', `${name} is larger than 1 MiB.`);
  const text = bytes.toString('utf8');
  const value = parseJson(text) ?? (await parseYaml(name, text));
  const endless = findEndless(value, '', new Set());
  if (endless !== undefined) {
    throw new SolyxError('job_spec_invalid', `${name}: ${endless} is infinite or no number; expected a finite one.`);
  }
  if (typeof value !== 'object' || value === null || Array.isArray(value)) {
    throw new SolyxError('job_spec_invalid', `${name}: expected keys and values, like "name: my-job".`);
  }
  return value as Record<string, unknown>;
}

/** Path of a number that JSON cannot carry (`.inf`, `.nan`, 1e999) and the server would see as nothing. */
function findEndless(value: unknown, path: string, seen: Set<object>): string | undefined {
  if (typeof value === 'number') return Number.isFinite(value) ? undefined : path;
  if (typeof value !== 'object' || value === null || seen.has(value)) return undefined;
  // An alias of YAML may lead to what it stands in.
  seen.add(value);
  for (const [key, inner] of Object.entries(value)) {
    const found = findEndless(inner, `${path}/${key}`, seen);
    if (found !== undefined) return found;
  }
  return undefined;
}

/** JSON is YAML, but need not wait for its parser. What is no valid JSON may still be YAML in braces. */
function parseJson(text: string): unknown {
  if (!text.trimStart().startsWith('{')) return undefined;
  try {
    return JSON.parse(text);
  } catch {
    return undefined;
  }
}

async function parseYaml(name: string, text: string): Promise<unknown> {
  const { parseDocument } = await import('yaml');
  const document = parseDocument(text, { prettyErrors: true });
  const broken = document.errors[0];
  if (broken) {
    const at = broken.linePos?.[0];
    const place = at ? `, line ${at.line}, column ${at.col}` : '';
    throw new SolyxError('invalid_yaml', `${name}${place}: ${broken.message.split('\n')[0]}`);
  }
  try {
    return document.toJS({ maxAliasCount: 100 });
  } catch (error) {
    throw new SolyxError('invalid_yaml', { detail: `${name}: ${(error as Error).message}`, cause: error });
  }
}
