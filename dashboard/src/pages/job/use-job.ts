/** The job that the page is about, and names for the ids that it speaks of. */
import { useQuery, useQueryClient } from '@tanstack/react-query';
import type { JobDetail } from '../../api/contract.ts';
import { read } from '../../api/queries.ts';
import { useSession } from '../../app/session.ts';
import { useLiveJob, useLiveStatus } from '../../live/hooks.ts';

const finalStates = new Set(['succeeded', 'failed', 'cancelled']);
export const isFinal = ({ state }: Pick<JobDetail, 'state'>): boolean => finalStates.has(state);

export const jobQuery = (id: string) => read('GET /v1/jobs/:id', { params: { id } });

/** How often to ask for what changes, milliseconds: seldom while the live connection tells of changes, false when nothing changes. */
export function useRefreshMs(changes: boolean): number | false {
  const { state } = useLiveStatus();
  if (!changes) return false;
  return state === 'live' ? 30_000 : 2_000;
}

/** The job, kept up to date. */
export function useJob(id: string) {
  const known = useQueryClient().getQueryData(jobQuery(id).queryKey);
  useLiveJob(id);
  return useQuery({ ...jobQuery(id), refetchInterval: useRefreshMs(known === undefined || !isFinal(known)) });
}

/** Names of nodes by id; empty until they are known. A node that was removed keeps its id. */
export function useNodeNames(): ReadonlyMap<string, string> {
  const { data } = useQuery({
    ...read('GET /v1/nodes', { query: { limit: 500 } }),
    staleTime: 60_000,
    select: ({ items }) => new Map(items.map(({ id, name }) => [id as string, name])),
  });
  return data ?? none;
}

/** Names of sites by id. */
export function useSiteNames(): ReadonlyMap<string, string> {
  const { data } = useQuery({
    ...read('GET /v1/sites', { query: { limit: 500 } }),
    staleTime: 60_000,
    select: ({ items }) => new Map(items.map(({ id, name }) => [id as string, name])),
  });
  return data ?? none;
}

const none: ReadonlyMap<string, string> = new Map();

/**
 * Who an id is, as far as this person may know: herself; for admins the name of a key or of whoever has it; else the id. A
 * session of a browser has no name, only its person has.
 */
export function usePersonName(): (id: string) => string {
  const { me, can } = useSession();
  const { data: keys } = useQuery({
    ...read('GET /v1/keys', { query: { limit: 500 } }),
    staleTime: 60_000,
    enabled: can('admin'),
    select: ({ items }) => new Map(items.map(({ id, name, user }) => [id as string, user?.name ?? `key ${name}`])),
  });
  const { data: people } = useQuery({
    ...read('GET /v1/users', { query: { limit: 500 } }),
    staleTime: 60_000,
    enabled: can('admin'),
    select: ({ items }) => new Map(items.map(({ id, name }) => [id as string, name])),
  });
  return (id) => {
    if (me !== undefined && (id === me.keyId || id === me.user?.id)) return 'you';
    return keys?.get(id) ?? people?.get(id) ?? id;
  };
}
