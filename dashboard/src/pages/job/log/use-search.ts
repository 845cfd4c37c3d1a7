/** Searches a whole log, page by page, and goes on when it grows. */
import { useEffect, useState } from 'react';
import type { LogFeed } from './log-feed.ts';
import { beginSearch, type SearchState, searchLines } from './log-search.ts';

/** Lines of one request. */
const pageLines = 5_000;
/** Pause between looks for new lines, milliseconds. */
const againMs = 1_000;

/** @param words as typed; a pause in typing begins the search */
export function useLogSearch(feed: LogFeed, words: string): SearchState | undefined {
  const [state, setState] = useState<SearchState>();
  useEffect(() => {
    const controller = new AbortController();
    const begun = beginSearch(words);
    setState(begun);
    if (begun === undefined) return;
    const run = async () => {
      let current = begun;
      await pause(250);
      while (!controller.signal.aborted && !current.cut) {
        if (current.searched >= feed.buffer.lineCount) {
          if (!feed.isOpen) return;
          await pause(againMs);
          continue;
        }
        const page = await feed.readPage(current.searched, pageLines, controller.signal);
        if (page.lines.length === 0) {
          await pause(againMs);
          continue;
        }
        current = searchLines(current, page.lines, page.nextLine);
        setState(current);
      }
    };
    run().catch(() => {
      // Stopped, or the server is away: what was found stays, and how far the search came is shown.
    });
    return () => controller.abort();
  }, [feed, words]);
  return state;
}

const pause = (ms: number) => new Promise((resolve) => setTimeout(resolve, ms));
