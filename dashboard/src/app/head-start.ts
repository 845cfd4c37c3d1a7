/**
 * What the first page needs is asked for before anything else of the app is set up: its code, who is signed in, the figures of the
 * overview. On a slow processor React needs longer for its first breath than the network for all of these, so what comes meanwhile
 * is drawn in one go, and not first as a frame, then as its skeleton, then as the page.
 */
import { read } from '../api/queries.ts';
import { queryClient } from './cache.ts';
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

/**
 * Begins to load; what fails here is asked for again, and told, by whoever needs it.
 * @returns when all of it is here or has failed; never rejects
 */
export async function giveHeadStart(pathname: string): Promise<void> {
  const folder = folderOf(pathname);
  const code = pageLoader(folder)?.().catch(() => undefined);
  const asked = open.includes(folder)
    ? []
    : [
        queryClient.prefetchQuery(whoami),
        ...(folder === 'overview' ? [queryClient.prefetchQuery(read('GET /v1/overview'))] : []),
      ];
  await Promise.all([code, ...asked]);
}
