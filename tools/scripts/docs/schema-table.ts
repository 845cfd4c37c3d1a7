/**
 * A zod schema as rows of a table: path, type, default and description of every described key, nested ones below.
 *
 * The detour through JSON Schema (of what a user writes, not of what the parse returns) is deliberate: it is public,
 * while the inside of a zod schema is not.
 */
import { z } from 'zod';

interface JsonSchema {
  type?: string | string[];
  description?: string;
  default?: unknown;
  enum?: unknown[];
  const?: unknown;
  properties?: Record<string, JsonSchema>;
  required?: string[];
  items?: JsonSchema;
  anyOf?: JsonSchema[];
}

export interface KeyRow {
  /** Like `resources.devices[].model`. */
  path: string;
  type: string;
  /** As JSON; empty when there is none or it is an object that its own keys describe. */
  default: string;
  required: boolean;
  description: string;
}

function typeOf(schema: JsonSchema): string {
  if (schema.const !== undefined) return JSON.stringify(schema.const);
  if (schema.enum) return schema.enum.map((value) => JSON.stringify(value)).join(' or ');
  if (schema.anyOf) return [...new Set(schema.anyOf.map(typeOf))].join(' or ');
  if (schema.type === 'array') return `list of ${schema.items ? typeOf(schema.items) : 'anything'}`;
  return [schema.type ?? 'anything'].flat().join(' or ');
}

function defaultOf({ default: value }: JsonSchema): string {
  const isDescribedByItsKeys = typeof value === 'object' && value !== null && !Array.isArray(value);
  return value === undefined || isDescribedByItsKeys ? '' : JSON.stringify(value);
}

/** Rows for the keys below a schema; of several alternatives, all that have keys. */
function rowsBelow(schema: JsonSchema, path: string): KeyRow[] {
  const alternatives = (schema.anyOf ?? []).flatMap((alternative) => rowsBelow(alternative, path));
  const elements = schema.items ? rowsBelow(schema.items, `${path}[]`) : [];
  const keys = Object.entries(schema.properties ?? {}).flatMap(([key, child]) => {
    const childPath = path === '' ? key : `${path}.${key}`;
    const row = {
      path: childPath,
      type: typeOf(child),
      default: defaultOf(child),
      required: (schema.required ?? []).includes(key),
      description: child.description ?? '',
    };
    return [row, ...rowsBelow(child, childPath)];
  });
  return [...keys, ...elements, ...alternatives];
}

/** Rows of every key, in the order of the schema; keys met twice (in alternatives) appear once. */
export function keyRows(schema: z.ZodType): KeyRow[] {
  const rows = rowsBelow(z.toJSONSchema(schema, { io: 'input' }) as JsonSchema, '');
  return [...new Map(rows.reverse().map((row) => [row.path, row])).values()].reverse();
}

const cell = (text: string): string => text.replaceAll('|', '\\|').replaceAll('\n', ' ');
const code = (text: string): string => (text === '' ? '' : `\`${text}\``);

/** The rows as a Markdown table. */
export function markdownTable(rows: readonly KeyRow[]): string {
  return [
    '| key | type | default | meaning |',
    '|---|---|---|---|',
    ...rows.map((row) => {
      const standard = row.required ? 'required' : code(row.default);
      return `| ${code(row.path)} | ${cell(row.type)} | ${cell(standard)} | ${cell(row.description)} |`;
    }),
  ].join('\n');
}
