/**
 * YAML of a request body to plain data, with line and column of what is wrong.
 *
 * Hostile YAML is the reason for the limits: aliases that double at each level, nesting that overflows the stack, several
 * documents of which one would be ignored.
 */
import { parseAllDocuments } from 'yaml';
import { SolyxError } from '../errors/index.ts';

const mostAliases = 100;

/**
 * Parses one YAML 1.2 document.
 * @throws invalid_yaml
 */
export function readYaml(text: string): unknown {
  try {
    const documents = parseAllDocuments(text, { prettyErrors: true, uniqueKeys: true, stringKeys: true });
    if (!Array.isArray(documents) || documents.length === 0)
      throw new SolyxError('invalid_yaml', 'The document is empty.');
    if (documents.length > 1) throw new SolyxError('invalid_yaml', 'Send one document; there are several.');
    const document = documents[0]!;
    const error = document.errors[0];
    if (error) {
      const place = error.linePos?.[0];
      const where = place ? `Line ${place.line}, column ${place.col}: ` : '';
      throw new SolyxError('invalid_yaml', `${where}${error.message.split('\n', 1)[0]}`);
    }
    return document.toJS({ maxAliasCount: mostAliases });
  } catch (error) {
    if (error instanceof SolyxError) throw error;
    const message = error instanceof RangeError ? 'It is nested too deeply.' : (error as Error).message;
    throw new SolyxError('invalid_yaml', { detail: message, cause: error });
  }
}
