/**
 * The same request for other hands: as a command line, as curl, as TypeScript.
 *
 * People paste these into shells, so every text of the spec must arrive as it is and nothing of it may be run: the spec
 * goes into a quoted here-document whose last word does not occur in it, everything else into single quotes.
 */
import type { Spec } from './draft.ts';

/** A word of a POSIX shell that means exactly this text. */
export function shellWord(text: string): string {
  if (/^[A-Za-z0-9_./:@%+=-]+$/.test(text)) return text;
  return `'${text.replaceAll("'", `'\\''`)}'`;
}

/** A quoted here-document of a text; its last word occurs as no line of the text. */
export function hereDocument(command: string, text: string, word = 'YAML'): string {
  const lines = new Set(text.split('\n'));
  let end = word;
  for (let n = 1; lines.has(end); n += 1) end = `${word}_${n}`;
  return `${command} <<'${end}'\n${text.endsWith('\n') ? text : `${text}\n`}${end}\n`;
}

/** `solyx submit` reading the spec from standard input. */
export const asCli = (yaml: string): string => hereDocument('npx solyx submit -', yaml);

/** curl. The key comes from the environment, so that it is not in the history of the shell. @param origin of the server */
export function asCurl(yaml: string, origin: string): string {
  const words = [
    'curl --fail-with-body --silent --show-error',
    `--request POST ${shellWord(`${origin}/v1/jobs`)}`,
    `--header "authorization: Bearer $SOLYX_API_KEY"`,
    `--header 'content-type: application/yaml'`,
    // Sending it twice makes one job.
    `--header "idempotency-key: $(cat /proc/sys/kernel/random/uuid 2>/dev/null || uuidgen)"`,
    '--data-binary @-',
  ];
  return hereDocument(words.join(' \\\n  '), yaml);
}

/** TypeScript with nothing but the platform's `fetch`. */
export function asTypeScript(spec: Spec, origin: string): string {
  return `const response = await fetch(${literal(`${origin}/v1/jobs`)}, {
  method: 'POST',
  headers: {
    authorization: \`Bearer \${process.env.SOLYX_API_KEY}\`,
    'content-type': 'application/json',
    // Sending it twice makes one job.
    'idempotency-key': crypto.randomUUID(),
  },
  body: JSON.stringify(${literal(spec, '  ')}),
});
if (!response.ok) throw new Error(await response.text());
const job = (await response.json()) as { id: string };
console.log(job.id);
`;
}

/** A value as a literal of JavaScript that means exactly this value. */
export function literal(value: unknown, indent = ''): string {
  if (typeof value === 'string') return quote(value);
  if (Array.isArray(value)) {
    if (value.length === 0) return '[]';
    const items = value.map((item) => `${indent}  ${literal(item, `${indent}  `)},\n`);
    return `[\n${items.join('')}${indent}]`;
  }
  if (typeof value === 'object' && value !== null) {
    const entries = Object.entries(value).filter(([, item]) => item !== undefined);
    if (entries.length === 0) return '{}';
    const items = entries.map(([key, item]) => `${indent}  ${keyOf(key)}: ${literal(item, `${indent}  `)},\n`);
    return `{\n${items.join('')}${indent}}`;
  }
  return JSON.stringify(value) ?? 'null';
}

/** `__proto__` written as a plain key would set the prototype and be lost. */
function keyOf(key: string): string {
  if (key === '__proto__') return "['__proto__']";
  return /^[A-Za-z_$][\w$]*$/.test(key) ? key : quote(key);
}

function quote(text: string): string {
  // JSON escapes control characters, line separators need it in old engines; quotes change sides.
  const inner = JSON.stringify(text).slice(1, -1).replaceAll('\\"', '"').replaceAll("'", "\\'");
  return `'${inner.replaceAll('\u2028', '\\u2028').replaceAll('\u2029', '\\u2029')}'`;
}
