/**
 * The query part of a page's address as plain text: `?state=running&state=failed`. A page parses and checks its own.
 * (The router's default writes JSON there, which people cannot type.)
 */
export type Search = Readonly<Record<string, string | readonly string[] | undefined>>;

export function parseSearch(text: string): Record<string, string | string[]> {
  const found: Record<string, string | string[]> = {};
  for (const [name, value] of new URLSearchParams(text)) {
    const before = Object.hasOwn(found, name) ? found[name] : undefined;
    if (before === undefined) found[name] = value;
    else found[name] = Array.isArray(before) ? [...before, value] : [before, value];
  }
  return found;
}

export function stringifySearch(search: Record<string, unknown>): string {
  const parameters = new URLSearchParams();
  for (const [name, value] of Object.entries(search)) {
    if (value === undefined || value === null || value === '') continue;
    for (const one of Array.isArray(value) ? value : [value]) parameters.append(name, String(one));
  }
  const text = parameters.toString();
  return text === '' ? '' : `?${text}`;
}

/** All values of a parameter. */
export function listOf(search: Search, name: string): string[] {
  const value = Object.hasOwn(search, name) ? search[name] : undefined;
  if (value === undefined) return [];
  return typeof value === 'string' ? [value] : [...value];
}

/** The one value of a parameter, its last; undefined when it is missing or empty. */
export const textOf = (search: Search, name: string): string | undefined => listOf(search, name).at(-1) || undefined;
