/** Saves a whole log as it was printed, page by page. */
import type { LogFeed } from './log-feed.ts';

/** Lines of one request: the most that the server gives. */
const pageLines = 10_000;

/**
 * @param onProgress is told how many lines have come
 * @throws Problem of the server; AbortError
 */
export async function downloadLog(
  feed: LogFeed,
  fileName: string,
  onProgress: (lines: number) => void,
  signal: AbortSignal,
): Promise<void> {
  const parts: Blob[] = [];
  for (let from = 0; ; ) {
    const page = await feed.readPage(from, pageLines, signal);
    if (page.lines.length === 0) break;
    parts.push(new Blob([page.lines.map(({ text, partial }) => (partial ? text : `${text}\n`)).join('')]));
    from = page.nextLine;
    onProgress(from);
    if (page.complete) break;
  }
  const address = URL.createObjectURL(new Blob(parts, { type: 'text/plain' }));
  const link = document.createElement('a');
  link.href = address;
  link.download = fileName;
  link.click();
  // The browser has taken what it needs when the task after the click begins.
  setTimeout(() => URL.revokeObjectURL(address), 10_000);
}
