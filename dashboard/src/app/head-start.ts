/**
 * What the first page needs is asked for before React is up: its code, who is signed in, the figures of the overview. On a slow
 * processor React needs longer for its first breath than the network for all of these.
 */
import type { QueryClient } from '@tanstack/react-query';
import { read } from '../api/queries.ts';
import { pageLoader } from './nouns.ts';
import { whoami } from './session.ts';

/** Pages that need no session, and ask for other things. */
const open = ['login', 'invitation'];

/** Folder of the page at a path: `/jobs/job_…` is shown by `job`, everything else by its first part. */
export function folderOf(pathname: string): string {
  const [noun = '', id = ''] = pathname.split('/').slice(1);
  if (noun === '') return 'overview';
  return noun === 'jobs' && id !== '' ? 'job' : noun;
}

/** Begins to load; what fails here is asked for again, and told, by whoever needs it. */
export function giveHeadStart(cache: QueryClient, pathname: string): void {
  const folder = folderOf(pathname);
  pageLoader(folder)?.().catch(() => undefined);
  if (open.includes(folder)) return;
  void cache.prefetchQuery(whoami);
  if (folder === 'overview') void cache.prefetchQuery(read('GET /v1/overview'));
}
