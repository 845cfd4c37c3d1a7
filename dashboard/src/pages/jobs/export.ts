/**
 * The list as a file: the filter's jobs page by page from the server, so that what was not scrolled to comes along, up to a
 * bound, so that nobody pulls a million jobs through a browser by accident.
 */
import type { Job } from '../../api/contract.ts';
import { request } from '../../api/request.ts';
import type { JobsQuery } from './filters.ts';
import { reasonOf } from './reason.ts';

/** Most jobs of a file. */
export const mostExported = 20_000;
const pageSize = 500;

export type Format = 'csv' | 'json';

const csvColumns: readonly (readonly [string, (job: Job) => string | number | null])[] = [
  ['id', (job) => job.id],
  ['name', (job) => job.name],
  ['project', (job) => job.project.name],
  ['state', (job) => job.state],
  ['reason', reasonOf],
  ['priority', (job) => job.priority],
  ['attempts', (job) => job.attemptCount],
  ['exit_code', (job) => job.exitCode],
  ['array_id', (job) => job.arrayId],
  ['array_index', (job) => job.arrayIndex],
  [
    'labels',
    (job) =>
      Object.entries(job.labels)
        .map(([key, value]) => `${key}:${value}`)
        .join(' '),
  ],
  ['submitted_by', (job) => job.submittedBy],
  ['submitted_at', (job) => job.submittedAt],
  ['started_at', (job) => job.startedAt],
  ['ended_at', (job) => job.endedAt],
];

/**
 * A field of CSV (RFC 4180). Text that a spreadsheet would run as a formula gets an apostrophe before it: names and labels
 * are written by whoever submits jobs.
 */
export function csvField(value: string | number | null): string {
  if (value === null) return '';
  if (typeof value === 'number') return String(value);
  const text = /^[=+\-@\t\r]/.test(value) ? `'${value}` : value;
  return /[",\r\n]/.test(text) ? `"${text.replaceAll('"', '""')}"` : text;
}

const csvLine = (fields: readonly (string | number | null)[]): string => `${fields.map(csvField).join(',')}\r\n`;

/** Text of a file's beginning, of each page, and of its end. */
export function fileParts(format: Format) {
  let isFirst = true;
  return {
    begin: format === 'csv' ? csvLine(csvColumns.map(([name]) => name)) : '[\n',
    page: (jobs: readonly Job[]): string => {
      if (format === 'csv') return jobs.map((job) => csvLine(csvColumns.map(([, read]) => read(job)))).join('');
      const text = jobs.map((job) => JSON.stringify(job)).join(',\n');
      const separator = isFirst || text === '' ? '' : ',\n';
      if (text !== '') isFirst = false;
      return separator + text;
    },
    end: format === 'csv' ? '' : '\n]\n',
  };
}

export interface Exported {
  readonly blob: Blob;
  readonly count: number;
  /** There are more than a file may hold. */
  readonly cut: boolean;
}

/** Reads the filter's jobs into a file. @throws Problem, AbortError */
export async function exportJobs(
  query: JobsQuery,
  format: Format,
  onProgress: (count: number) => void,
  signal: AbortSignal,
): Promise<Exported> {
  const parts = fileParts(format);
  const texts = [parts.begin];
  let count = 0;
  let cursor: string | null = null;
  do {
    const page: { items: Job[]; nextCursor: string | null } = await request(
      'GET /v1/jobs',
      { query: { ...query, limit: pageSize, ...(cursor !== null && { cursor }) } },
      { signal },
    );
    texts.push(parts.page(page.items));
    count += page.items.length;
    cursor = page.nextCursor;
    onProgress(count);
  } while (cursor !== null && count < mostExported);
  texts.push(parts.end);
  const type = format === 'csv' ? 'text/csv' : 'application/json';
  return { blob: new Blob(texts, { type }), count, cut: cursor !== null };
}

/** Hands a file to the browser. */
export function download(blob: Blob, name: string): void {
  const url = URL.createObjectURL(blob);
  const link = document.createElement('a');
  link.href = url;
  link.download = name;
  link.click();
  setTimeout(() => URL.revokeObjectURL(url), 60_000);
}
