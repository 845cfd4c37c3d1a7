/** The rows of a simple CSV (no quotes: traces have none) by column name, with the numbers of their lines. */
import { TraceError } from './trace-error.ts';

export interface CsvRow {
  readonly line: number;
  /** The text of a required column. */
  field(column: string): string | undefined;
}

/** @throws TraceError when a column is missing in the header, or a row has another number of fields than it */
export function readCsv(text: string, required: readonly string[]): CsvRow[] {
  const lines = text.split('\n').map((line) => line.replace(/\r$/, ''));
  const header = (lines[0] ?? '').split(',').map((name) => name.trim());
  for (const column of required) {
    if (!header.includes(column))
      throw new TraceError(1, `column "${column}" is missing; there are: ${header.join(', ')}`);
  }
  const rows: CsvRow[] = [];
  for (let i = 1; i < lines.length; i++) {
    if (lines[i]!.trim() === '') continue;
    const fields = lines[i]!.split(',');
    if (fields.length !== header.length) {
      throw new TraceError(i + 1, `${fields.length} fields, but the header has ${header.length}`);
    }
    rows.push({ line: i + 1, field: (column) => fields[header.indexOf(column)]?.trim() });
  }
  return rows;
}
