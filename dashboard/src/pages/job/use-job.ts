/** The job that the page is about, and names for the ids that it speaks of. */
import { useQuery } from '@tanstack/react-query';
import type { JobDetail } from '../../api/contract.ts';
import { read } from '../../api/queries.ts';
import { useSession } from '../../app/session.ts';

const finalStates = new Set(['succeeded', 'failed', 'cancelled']);
export const isFinal = ({ state }: Pick<JobDetail, 'state'>): boolean => finalStates.has(state);

/** Reads the job, again and again until it has ended; live changes come in between. */
export const jobQuery = (id: string) => ({
  ...read('GET /v1/jobs/:id', { params: { id } }),
  refetchInterval: (query: { state: { data: JobDetail | undefined } }) =>
    query.state.data !== undefined && isFinal(query.state.data) ? (false as const) : 2_000,
});

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

/** Who an id is, as far as this person may know: herself, or the id. */
export function usePersonName(): (id: string) => string {
  const { me } = useSession();
  return (id) => (me !== undefined && (id === me.keyId || id === me.user?.id) ? 'you' : id);
}
