/** Reads the files of a simulation; what is wrong in one is told with file, line and field. */
import { readFileSync, statSync } from 'node:fs';
import type { loadSimulator } from '../cmo/scheduler/index.ts';
import { SolyxError } from '../common/errors/index.ts';

export type Simulator = Awaited<ReturnType<typeof loadSimulator>>;

/** Largest file, bytes. */
const mostBytes = 512 * 2 ** 20;

/** The value of a YAML or JSON text, and the line on which the value at a path of keys begins. */
export interface ParsedFile {
  readonly value: unknown;
  lineOf(keys: readonly PropertyKey[]): number | undefined;
}

/**
 * Reads a file and makes something of its text.
 * @throws simulation_invalid naming the file, and what `use` found wrong with its line or field
 */
export async function readInput<T>(
  { InputError, InvalidPolicyError, TraceError }: Simulator,
  file: string,
  use: (text: string, parse: () => Promise<unknown>) => T | Promise<T>,
): Promise<T> {
  let parsed: ParsedFile | undefined;
  const text = readText(file);
  const parse = async () => {
    parsed = await parseYaml(file, text);
    return parsed.value;
  };
  try {
    return await use(text, parse);
  } catch (error) {
    if (error instanceof InputError) {
      const issues = error.issues.map(({ keys, at, message }) => {
        const line = parsed?.lineOf(keys);
        return { at: line === undefined ? at : `line ${line}, ${at || 'the file'}`, message };
      });
      throw new SolyxError('simulation_invalid', { detail: `${file} is not right.`, issues, cause: error });
    }
    if (error instanceof TraceError || error instanceof InvalidPolicyError) {
      throw new SolyxError('simulation_invalid', { detail: `${file}: ${error.message}`, cause: error });
    }
    throw error;
  }
}

function readText(file: string): string {
  try {
    const { size } = statSync(file);
    if (size > mostBytes) throw new SolyxError('simulation_invalid', `${file} is larger than 512 MiB.`);
    return readFileSync(file, 'utf8');
  } catch (error) {
    if (error instanceof SolyxError) throw error;
    const detail = `${file} cannot be read: ${(error as Error).message}.`;
    throw new SolyxError('simulation_invalid', { detail, cause: error });
  }
}

async function parseYaml(file: string, text: string): Promise<ParsedFile> {
  const { isNode, LineCounter, parseDocument } = await import('yaml');
  const counter = new LineCounter();
  const document = parseDocument(text, { lineCounter: counter });
  const broken = document.errors[0];
  if (broken !== undefined) {
    const at = broken.linePos?.[0];
    const place = at === undefined ? '' : `, line ${at.line}, column ${at.col}`;
    throw new SolyxError('simulation_invalid', `${file}${place}: ${broken.message.split('\n')[0]}`);
  }
  const lineOf = (keys: readonly PropertyKey[]): number | undefined => {
    // A field that is missing has no place; the nearest thing around it has.
    for (let depth = keys.length; depth > 0; depth -= 1) {
      const node = document.getIn(keys.slice(0, depth), true);
      if (isNode(node) && node.range) return counter.linePos(node.range[0]).line;
    }
    return undefined;
  };
  try {
    return { value: document.toJS({ maxAliasCount: 100 }), lineOf };
  } catch (error) {
    throw new SolyxError('simulation_invalid', { detail: `${file}: ${(error as Error).message}`, cause: error });
  }
}
