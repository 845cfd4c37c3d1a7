/**
 * What commands print: data on stdout, everything else on stderr. Text from outside (names, messages, log lines) is
 * stripped of terminal control sequences, so that a hostile job name cannot move the cursor or retitle the window.
 */
import colors from 'picocolors';

const escapeCharacter = String.fromCharCode(27);
const endOfColours = `${escapeCharacter}[0m`;
/** Control characters except tab, line separators, and what reverses the direction of writing. */
const hostile = '(?!\\t)[\\p{Cc}\\u2028\\u2029\\u061c\\u200e\\u200f\\u202a-\\u202e\\u2066-\\u2069]';
const colourSequence = `${escapeCharacter}\\[[0-9;]{0,32}m`;
const hostileCharacter = new RegExp(hostile, 'gu');
const colourOrHostile = new RegExp(`${colourSequence}|${hostile}`, 'gu');

/** Removes what could move the cursor or reorder a line. */
export const printable = (text: string): string => text.replace(hostileCharacter, '');

/**
 * A line of a job's log: as `printable`, but colours stay and end with the line, and what a progress bar writes over itself by
 * carriage returns becomes lines.
 */
export function printableLog(text: string): string {
  const parts = text.replace(/\r+$/, '').split(/\r+/);
  return parts
    .map((part) => {
      const clean = part.replace(colourOrHostile, (match) => (match.length > 1 ? match : ''));
      return clean.includes(escapeCharacter) ? `${clean}${endOfColours}` : clean;
    })
    .join('\n');
}

/** A value as JSON without characters that a terminal could take for orders; the same value when parsed. */
export function toJson(value: unknown, indent = 0): string {
  return JSON.stringify(value, null, indent).replace(hostileCharacter, (character) =>
    character === '\n' ? character : `\\u${character.charCodeAt(0).toString(16).padStart(4, '0')}`,
  );
}

/** Writes one JSON document to stdout. */
export function printJson(value: unknown): void {
  process.stdout.write(`${toJson(value, process.stdout.isTTY ? 2 : 0)}\n`);
}

/** Writes a line to stdout. */
export function print(line = ''): void {
  process.stdout.write(`${line}\n`);
}

/** Writes a line for people to stderr. */
export function note(line: string): void {
  process.stderr.write(`${line}\n`);
}

export interface Column<Row> {
  readonly title: string;
  readonly value: (row: Row) => string;
  readonly align?: 'right';
  readonly paint?: (text: string, row: Row) => string;
}

/** Prints rows as an aligned table; without rows prints `empty`. */
export function printTable<Row>(rows: readonly Row[], columns: readonly Column<Row>[], empty: string): void {
  if (rows.length === 0) {
    note(empty);
    return;
  }
  const cells = rows.map((row) => columns.map((column) => printable(column.value(row))));
  const widths = columns.map((column, index) =>
    Math.max(column.title.length, ...cells.map((line) => line[index]!.length)),
  );
  const pad = (text: string, index: number) =>
    columns[index]!.align === 'right' ? text.padStart(widths[index]!) : text.padEnd(widths[index]!);
  print(
    colors.bold(
      columns
        .map((column, index) => pad(column.title, index))
        .join('  ')
        .trimEnd(),
    ),
  );
  for (const [rowIndex, line] of cells.entries()) {
    print(
      line
        .map((text, index) => {
          const padded = pad(text, index);
          const { paint } = columns[index]!;
          return paint ? paint(padded, rows[rowIndex]!) : padded;
        })
        .join('  ')
        .trimEnd(),
    );
  }
}

const stateColours: Record<string, (text: string) => string> = {
  running: colors.blue,
  succeeded: colors.green,
  queued: colors.gray,
  starting: colors.cyan,
  stopping: colors.yellow,
  cancelled: colors.yellow,
  failed: colors.red,
  unknown: colors.magenta,
};

/** Paints a state in its colour; the word itself always stays. */
export const paintState = (text: string): string => (stateColours[text.trim()] ?? ((same: string) => same))(text);

/** "3 min ago" for an instant in the past, "in 3 min" for one to come. */
export function relative(instant: string | null, now = Date.now()): string {
  if (instant === null) return '–';
  const seconds = (now - Date.parse(instant)) / 1000;
  const size = Math.abs(seconds);
  const [amount, unit] =
    size < 60
      ? [size, 's']
      : size < 3600
        ? [size / 60, 'min']
        : size < 86_400
          ? [size / 3600, 'h']
          : [size / 86_400, 'd'];
  const text = `${Math.round(amount)} ${unit}`;
  return seconds >= 0 ? `${text} ago` : `in ${text}`;
}
