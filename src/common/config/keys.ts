/** The configuration's keys as a flat list, read off the schema: for environment variables, docs and error messages. */
import { z } from 'zod';
import { configSchema } from './schema.ts';

export interface ConfigKey {
  /** Dotted path, like `server.port`. */
  readonly path: string;
  /** Environment variable, like `SOLYX_SERVER_PORT`. */
  readonly env: string;
  readonly description: string;
  readonly type: string;
  /** Default as YAML, or undefined when there is none. */
  readonly default: unknown;
}

interface JsonNode {
  properties?: Record<string, JsonNode>;
  description?: string;
  default?: unknown;
  type?: string | string[];
  enum?: unknown[];
  anyOf?: JsonNode[];
  items?: JsonNode;
}

/** Environment variable of a path: `server.port` → `SOLYX_SERVER_PORT`, `site.gridZone` → `SOLYX_SITE_GRID_ZONE`. */
export function envName(path: string): string {
  return `SOLYX_${path
    .replace(/([a-z])([A-Z])/g, '$1_$2')
    .replaceAll('.', '_')
    .toUpperCase()}`;
}

function typeOf(node: JsonNode): string {
  if (node.enum) return node.enum.join(' | ');
  if (node.anyOf) return node.anyOf.map(typeOf).join(' | ');
  if (node.items) return `list of ${typeOf(node.items)}`;
  return [node.type ?? 'value'].flat().join(' | ');
}

/** All keys in the order of the schema. */
export function configKeys(): ConfigKey[] {
  const keys: ConfigKey[] = [];
  const walk = (node: JsonNode, path: string) => {
    for (const [name, child] of Object.entries(node.properties ?? {})) {
      const childPath = path === '' ? name : `${path}.${name}`;
      if (child.properties) walk(child, childPath);
      else {
        keys.push({
          path: childPath,
          env: envName(childPath),
          description: child.description ?? '',
          type: typeOf(child),
          default: child.default,
        });
      }
    }
  };
  const schema = z.toJSONSchema(configSchema, {
    io: 'input',
    unrepresentable: 'any',
    override: ({ jsonSchema }) => {
      if (typeof jsonSchema.default === 'bigint') jsonSchema.default = Number(jsonSchema.default) / 1e6;
    },
  });
  walk(schema as JsonNode, '');
  return keys;
}
