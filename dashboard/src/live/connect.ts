/** The page's live connection: where it goes and how it gets its tickets. */

import { asProblem } from '../api/problem.ts';
import { request } from '../api/request.ts';
import { LiveClient, LiveRefused } from './client.ts';

/** Makes the connection of this page; `start` it once somebody is signed in. */
export function createLiveClient(): LiveClient {
  const { protocol, host } = window.location;
  const client = new LiveClient({
    url: `${protocol === 'https:' ? 'wss' : 'ws'}://${host}/v1/live`,
    ticket: async () => {
      try {
        return (await request('POST /v1/live/tickets', { body: { purpose: 'live' } })).ticket;
      } catch (error) {
        const problem = asProblem(error);
        throw problem.status === 401 || problem.status === 403 ? new LiveRefused(problem.message) : problem;
      }
    },
  });
  window.addEventListener('online', () => client.hurry());
  document.addEventListener('visibilitychange', () => {
    if (document.visibilityState === 'visible') client.hurry();
  });
  return client;
}
