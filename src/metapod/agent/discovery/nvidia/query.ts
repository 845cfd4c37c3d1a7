/**
 * Asking nvidia-smi for fields, on any driver.
 *
 * Fields come and go with drivers (`clocks_event_reasons.active` was `clocks_throttle_reasons.active` before
 * R535; `remapped_rows.*` came with Ampere), and nvidia-smi refuses the whole query for one unknown field. So a
 * refused field is renamed or dropped and the query asked again; a dropped field reads as unknown.
 * `name` is always asked last, because nvidia-smi does not quote and a name may contain a comma.
 */
import type { Outside } from '../outside.ts';
import { TOOL_TIMEOUT_MS, type Warn, warnOf } from '../tools.ts';

const OLD_NAMES: Record<string, string> = { 'clocks_event_reasons.active': 'clocks_throttle_reasons.active' };

/** One GPU's answer: field → text as printed. A field that the driver does not know is absent. */
export type FieldRow = ReadonlyMap<string, string>;

/** Arguments of a query in the one format that is parsed here. */
export function queryArguments(fields: readonly string[]): string[] {
  return [`--query-gpu=${fields.join(',')}`, '--format=csv,noheader,nounits'];
}

/** The field that nvidia-smi refused (`Field "x" is not a valid field to query.`), or null. */
export function refusedField(output: string): string | null {
  return /Field "([\w.]{1,80})" is not a valid field to query/.exec(output)?.[1] ?? null;
}

/** The field list after a refusal: renamed where an older name is known, else without the field. */
export function withoutField(fields: readonly string[], refused: string): string[] {
  const older = OLD_NAMES[refused];
  return fields.flatMap((field) => (field !== refused ? [field] : older === undefined ? [] : [older]));
}

/** Cells of one CSV line by field; null when the line has too few cells. Surplus commas belong to the last field. */
export function rowOf(fields: readonly string[], line: string): FieldRow | null {
  const cells = line.split(',').map((cell) => cell.trim());
  if (cells.length < fields.length || fields.length === 0) return null;
  const head = cells.slice(0, fields.length - 1);
  const tail = cells.slice(fields.length - 1).join(', ');
  return new Map(fields.map((field, at) => [currentName(field), at < head.length ? (head[at] ?? '') : tail]));
}

function currentName(field: string): string {
  return Object.keys(OLD_NAMES).find((name) => OLD_NAMES[name] === field) ?? field;
}

/**
 * Runs a query, adapting it to the driver.
 *
 * @returns a row per GPU; null when nvidia-smi is missing, failed or hung (a warning says so)
 */
export async function queryGpus(outside: Outside, warn: Warn, wanted: readonly string[]): Promise<FieldRow[] | null> {
  let fields = [...wanted];
  for (let round = 0; round <= wanted.length * 2 && fields.length > 0; round++) {
    const result = await outside.run('nvidia-smi', queryArguments(fields), TOOL_TIMEOUT_MS);
    const words = result.kind === 'ok' ? result.stdout : result.kind === 'failed' ? result.output : '';
    const refused = refusedField(words);
    if (refused !== null && fields.includes(refused)) {
      fields = withoutField(fields, refused);
      continue;
    }
    if (result.kind !== 'ok') {
      // "No devices were found" is how a driver without a GPU says so (exit code 6).
      if (!/no devices were found/i.test(words)) warnOf(result, 'nvidia-smi --query-gpu', warn);
      return null;
    }
    return rowsOf(fields, result.stdout, warn);
  }
  return null;
}

function rowsOf(fields: readonly string[], stdout: string, warn: Warn): FieldRow[] {
  const rows: FieldRow[] = [];
  for (const line of stdout.split('\n').slice(0, 1024)) {
    if (line.trim() === '' || /no devices were found/i.test(line)) continue;
    const row = rowOf(fields, line);
    if (row !== null) rows.push(row);
    else warn({ code: 'tool-garbage', source: 'nvidia-smi --query-gpu', detail: line.trim().slice(0, 80) });
  }
  return rows;
}
