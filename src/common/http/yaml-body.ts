/**
 * YAML of a request body to plain data, with line and column of what is wrong.
 *
 * Hostile YAML is the reason for the limits: aliases that multiply, several documents of which one would be ignored, and
 * nesting, on which the parser spends seconds before its stack overflows; so depth is counted on the tokens first, which is
 * linear. Its own check for repeated keys is quadratic (38 s for 32,000 keys), hence ours.
 */
import { isScalar, Lexer, LineCounter, parseAllDocuments, visit } from 'yaml';
import { SolyxError } from '../errors/index.ts';
import { CallThread } from '../threads/call-thread.ts';

/** Longer ones are parsed off the main thread: YAML costs a millisecond a kilobyte, a hundred times what JSON does. */
const mostHere = 2_048;

const thread = new CallThread({
  name: 'yaml',
  module: new URL('./yaml-thread.ts', import.meta.url),
  timeoutSeconds: 10,
  mostWaiting: 200,
});

/**
 * Parses one YAML 1.2 document without holding anybody up.
 * @throws invalid_yaml, not_ready
 */
export async function parseYaml(text: string): Promise<unknown> {
  return text.length <= mostHere ? readYaml(text) : thread.call(text);
}

const mostAliases = 100;
/** Open brackets, or indicators in one line. */
const mostNested = 64;
const mostIndent = 256;

/**
 * Parses one YAML 1.2 document.
 * @throws invalid_yaml
 */
export function readYaml(text: string): unknown {
  refuseDeep(text);
  const lines = new LineCounter();
  try {
    const documents = parseAllDocuments(text, {
      uniqueKeys: false,
      stringKeys: true,
      lineCounter: lines,
      prettyErrors: false,
    });
    if (!Array.isArray(documents) || documents.length === 0)
      throw new SolyxError('invalid_yaml', 'The document is empty.');
    if (documents.length > 1) throw new SolyxError('invalid_yaml', 'Send one document; there are several.');
    const document = documents[0]!;
    const error = document.errors[0] ?? document.warnings[0];
    if (error) throw at(lines, error.pos[0], error.message);
    visit(document, { Map: (_key, map) => refuseRepeated(map.items, lines) });
    return document.toJS({ maxAliasCount: mostAliases });
  } catch (error) {
    if (error instanceof SolyxError) throw error;
    throw new SolyxError('invalid_yaml', { detail: (error as Error).message, cause: error });
  }
}

function at(lines: LineCounter, offset: number, message: string): SolyxError {
  const { line, col } = lines.linePos(offset);
  return new SolyxError('invalid_yaml', `Line ${line}, column ${col}: ${message.split('\n', 1)[0]}`);
}

function refuseRepeated(items: readonly { readonly key: unknown }[], lines: LineCounter): void {
  const seen = new Set<unknown>();
  for (const { key } of items) {
    if (!isScalar(key)) continue;
    if (seen.has(key.value))
      throw at(lines, key.range?.[0] ?? 0, `the key ${String(key.value).slice(0, 80)} stands here again`);
    seen.add(key.value);
  }
}

/** Scalars are tokens of their own, so what stands in a script or a text counts for nothing here. */
function refuseDeep(text: string): void {
  let brackets = 0;
  let inLine = 0;
  let line = 1;
  let atStart = true;
  for (const token of new Lexer().lex(text)) {
    if (token === '\n' || token === '\r\n') {
      line += 1;
      inLine = 0;
      atStart = true;
      continue;
    }
    if (token === '[' || token === '{') brackets += 1;
    else if (token === ']' || token === '}') brackets -= 1;
    else if (token === '-' || token === '?' || token === ':') inLine += brackets > 0 ? 0 : 1;
    const tooWide = atStart && token.length > mostIndent && token.trim() === '';
    if (brackets > mostNested || inLine > mostNested || tooWide) {
      throw new SolyxError('invalid_yaml', `Line ${line}: it is nested too deeply.`);
    }
    line += token.length > 1 ? token.split('\n').length - 1 : 0;
    atStart = false;
  }
}
