/**
 * Takes from a node's text what PostgreSQL cannot hold: NUL, and halves of surrogate pairs.
 *
 * A node is hostile input. One NUL in an error message must not make its report unstorable for ever, because the
 * agent would repeat it for ever; the rest of the text is worth more than the byte.
 */
export function cleanText<T>(value: T): T {
  return clean(value) as T;
}

function clean(value: unknown): unknown {
  if (typeof value === 'string') return value.replaceAll('\0', '').toWellFormed();
  if (Array.isArray(value)) return value.map(clean);
  if (typeof value !== 'object' || value === null) return value;
  return Object.fromEntries(Object.entries(value).map(([key, item]) => [clean(key), clean(item)]));
}
