/**
 * What the architecture tests look at: the source files, which component each belongs to, and what it imports.
 *
 * Imports are found by pattern and not by a parser: Biome's formatting leaves few ways to write one, and the compiler
 * offers no API in this version.
 */
import { readdirSync, readFileSync } from 'node:fs';
import { dirname, join, posix } from 'node:path';
import { fileURLToPath } from 'node:url';

export const root = join(dirname(fileURLToPath(import.meta.url)), '..', '..', '..');

/** Systems whose folders hold components; every other folder of src is a component itself. */
const SYSTEMS = new Set(['drm', 'cmo', 'sdn', 'metapod']);

export interface ImportStatement {
  specifier: string;
  /** Erased when the file runs: `import type` and `export type`. */
  typeOnly: boolean;
}

/** Paths below `folder`, relative to the repository, that end in `ending`. */
export function filesBelow(folder: string, ending = ''): string[] {
  return readdirSync(join(root, folder), { recursive: true, withFileTypes: true })
    .filter((entry) => entry.isFile() && entry.name.endsWith(ending))
    .map((entry) => posix.join(entry.parentPath.slice(root.length + 1), entry.name))
    .filter((file) => !file.includes('node_modules/'))
    .sort();
}

export const readSource = (file: string): string => readFileSync(join(root, file), 'utf8');

/** `src/cmo/scheduler/core/x.ts` → `cmo/scheduler`; files directly in src belong to no component. */
export function componentOf(file: string): string | undefined {
  const [source, first, second, third] = file.split('/');
  if (source !== 'src' || first === undefined || second === undefined) return undefined;
  return SYSTEMS.has(first) && third !== undefined ? `${first}/${second}` : first;
}

/** Imports and re-exports of a file, static and dynamic. */
export function importsOf(file: string): ImportStatement[] {
  const text = readSource(file);
  const found: ImportStatement[] = [];
  for (const match of text.matchAll(/^\s*(import|export)\s+(type\s)?(?:[^'";]*?\sfrom\s+)?'([^']+)'/gm)) {
    found.push({ specifier: match[3] ?? '', typeOnly: match[2] !== undefined });
  }
  for (const match of text.matchAll(/\bimport\(\s*'([^']+)'\s*\)/g)) {
    found.push({ specifier: match[1] ?? '', typeOnly: false });
  }
  return found;
}

/** The file that a relative import names, or undefined for packages and built-in modules. */
export function targetOf(file: string, specifier: string): string | undefined {
  return specifier.startsWith('.') ? posix.join(posix.dirname(file), specifier) : undefined;
}
