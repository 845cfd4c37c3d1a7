/** Finds what can be run by name: every folder with an index.ts. A new one needs no list to be changed. */
import { existsSync, readdirSync } from 'node:fs';
import { join } from 'node:path';
import { pathToFileURL } from 'node:url';

/** Names of the folders below `folder` that have an index.ts, sorted. */
export function listNames(folder: string): string[] {
  return readdirSync(folder, { withFileTypes: true })
    .filter((entry) => entry.isDirectory() && existsSync(join(folder, entry.name, 'index.ts')))
    .map((entry) => entry.name)
    .sort();
}

/** Loads what `<folder>/<name>/index.ts` exports as `exportName`, or undefined for a name that does not exist. */
export async function loadByName<T>(folder: string, name: string, exportName: string): Promise<T | undefined> {
  if (!listNames(folder).includes(name)) return undefined;
  const module: Record<string, T> = await import(pathToFileURL(join(folder, name, 'index.ts')).href);
  const found = module[exportName];
  if (found === undefined) throw new Error(`${join(folder, name, 'index.ts')} does not export \`${exportName}\``);
  return found;
}
