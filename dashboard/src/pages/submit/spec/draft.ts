/**
 * A job spec that is written in two ways at once: as YAML, and by a form that edits the same text.
 *
 * The text is the only truth. A form field reads from the parsed text and writes into its document, so comments, the
 * order of keys and fields that the form does not know stay as they were written. A text that cannot be parsed locks the
 * form, never the other way round. The parser is passed in because it is loaded when the page needs it.
 */
import type { Document, Node } from 'yaml';

export type Yaml = typeof import('yaml');

/** Keys of maps and indexes of lists, outermost first. */
export type Path = readonly (string | number)[];

export type Spec = Readonly<Record<string, unknown>>;

export type Draft =
  | { readonly kind: 'readable'; readonly text: string; readonly spec: Spec }
  | { readonly kind: 'broken'; readonly text: string; readonly message: string; readonly line: number | null };

/** Largest text that is parsed, characters; the server takes no more either. */
export const mostCharacters = 262_144;
/** The parser's own check for repeated keys is quadratic, hence ours. */
const parsing = { prettyErrors: true, uniqueKeys: false, stringKeys: true } as const;

/** Reads a text as a job spec. */
export function readDraft(yaml: Yaml, text: string): Draft {
  const broken = (message: string, line: number | null = null): Draft => ({ kind: 'broken', text, message, line });
  if (text.length > mostCharacters) return broken(`The text is longer than ${mostCharacters} characters.`);
  try {
    const documents = yaml.parseAllDocuments(text, parsing);
    if (Array.isArray(documents) && documents.length > 1) return broken('Send one document; there are several.');
    const document = documents[0];
    if (document === undefined) return { kind: 'readable', text, spec: {} };
    const error = document.errors[0];
    if (error)
      return broken(
        error.message.split('\n')[0]!.replace(/ at line \d+, column \d+:?$/, ''),
        error.linePos?.[0].line ?? null,
      );
    const repeated = findRepeated(yaml, document, text);
    if (repeated !== undefined) return broken(repeated.message, repeated.line);
    const spec = document.toJS({ maxAliasCount: 100 }) as unknown;
    if (spec === null || spec === undefined) return { kind: 'readable', text, spec: {} };
    if (typeof spec !== 'object' || Array.isArray(spec))
      return broken('Expected keys and values, like "name: my-job".', 1);
    return { kind: 'readable', text, spec: spec as Spec };
  } catch (error) {
    // Deep nesting ends in a full stack, a bomb of aliases in an error of the parser.
    return broken(error instanceof RangeError ? 'It is nested too deeply.' : (error as Error).message);
  }
}

function findRepeated(yaml: Yaml, document: Document, text: string): { message: string; line: number } | undefined {
  let found: { message: string; line: number } | undefined;
  yaml.visit(document, {
    Map(_key, map) {
      const seen = new Set<unknown>();
      for (const { key } of map.items) {
        if (!yaml.isScalar(key)) continue;
        if (seen.has(key.value)) {
          const line = text.slice(0, key.range?.[0] ?? 0).split('\n').length;
          found = { message: `The key ${String(key.value).slice(0, 80)} stands here again.`, line };
          return yaml.visit.BREAK;
        }
        seen.add(key.value);
      }
      return undefined;
    },
  });
  return found;
}

/**
 * Sets one field in a readable text and leaves the rest as it was written.
 * @param value undefined takes the field out, with maps that are empty then
 * @returns the new text
 */
export function editDraft(yaml: Yaml, text: string, path: Path, value: unknown): string {
  const document = yaml.parseDocument(text, parsing);
  if (!yaml.isMap(document.contents)) {
    if (value === undefined) return text;
    const comment = [document.commentBefore, document.contents?.commentBefore, document.comment];
    document.contents = document.createNode({}) as never;
    document.commentBefore = comment.filter((part) => part).join('\n') || null;
    document.comment = null;
  }
  for (let depth = 1; depth < path.length; depth += 1) settleParent(yaml, document, path.slice(0, depth), value);
  if (value === undefined) remove(yaml, document, path);
  else write(yaml, document, path, value);
  if (yaml.isMap(document.contents) && document.contents.items.length > 0) document.contents.flow = false;
  return document.toString({ lineWidth: 0, flowCollectionPadding: false });
}

/** What stands on the way to a field becomes a map: nothing, a text, or the copy that an alias means. */
function settleParent(yaml: Yaml, document: Document, path: Path, value: unknown): void {
  const node = document.getIn(path, true) as Node | undefined;
  if (yaml.isCollection(node)) return;
  if (yaml.isAlias(node)) {
    const copy = node.resolve(document)?.toJS(document) as unknown;
    document.setIn(path, document.createNode(copy ?? {}));
    return;
  }
  if (value === undefined) return;
  if (document.hasIn(path)) document.setIn(path, document.createNode({}));
}

/** A text or number takes the place of another with its comment; anything else is written anew. */
function write(yaml: Yaml, document: Document, path: Path, value: unknown): void {
  const before = document.getIn(path, true);
  if (yaml.isScalar(before) && (typeof value !== 'object' || value === null)) {
    before.value = value;
    // A folded or quoted style that suited the old text may not suit the new one.
    delete before.type;
    delete before.source;
    return;
  }
  const node = document.createNode(value);
  if (yaml.isNode(before) && !yaml.isAlias(before)) {
    node.commentBefore = before.commentBefore ?? null;
    node.comment = before.comment ?? null;
    if (yaml.isCollection(before) && yaml.isCollection(node) && before.flow === true) node.flow = true;
  }
  document.setIn(path, node);
}

function remove(yaml: Yaml, document: Document, path: Path): void {
  if (!document.hasIn(path)) return;
  document.deleteIn(path);
  for (let depth = path.length - 1; depth > 0; depth -= 1) {
    const parent = document.getIn(path.slice(0, depth), true);
    if (!yaml.isMap(parent) || parent.items.length > 0 || parent.comment) return;
    document.deleteIn(path.slice(0, depth));
  }
}

/** The value of a field; undefined when it is not there. */
export function valueAt(spec: Spec, path: Path): unknown {
  let value: unknown = spec;
  for (const key of path) {
    if (typeof value !== 'object' || value === null || !Object.hasOwn(value, key)) return undefined;
    value = (value as Record<string | number, unknown>)[key];
  }
  return value;
}

/** A spec as YAML. */
export function writeSpec(yaml: Yaml, spec: Spec, comment?: string): string {
  const document = new yaml.Document(spec);
  if (comment !== undefined) document.commentBefore = ` ${comment}`;
  return document.toString({ lineWidth: 0, flowCollectionPadding: false });
}
