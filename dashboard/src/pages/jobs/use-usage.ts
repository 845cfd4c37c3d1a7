/**
 * What the rows on the screen used: asked for only while a column shows it, for those rows alone, in one request. What runs is
 * asked for again as it goes on.
 */
import { useDebouncedValue } from '@mantine/hooks';
import { keepPreviousData, useQuery } from '@tanstack/react-query';
import { createContext, useContext, useMemo } from 'react';
import type { Job, Output } from '../../api/contract.ts';
import { request } from '../../api/request.ts';

export type JobUsage = Output<'GET /v1/usage/jobs'>['items'][number];

/** By id of the job; undefined: not known yet. */
export type UsageOfJobs = ReadonlyMap<string, JobUsage>;

export const UsageContext = createContext<UsageOfJobs>(new Map());

/** Columns that need it. */
const columns = ['devices', 'cost', 'energy'];
/** Most ids of one request. */
const mostJobs = 100;
const scrollMs = 150;
const runningMs = 10_000;

export function useUsage(rows: readonly Job[], visible: readonly string[], hidden: ReadonlySet<string>): UsageOfJobs {
  const enabled = columns.some((id) => !hidden.has(id));
  const [ids] = useDebouncedValue(visible, scrollMs);
  const shown = useMemo(() => {
    const byId = new Map(rows.map((job) => [job.id, job]));
    return ids.slice(0, mostJobs).flatMap((id) => byId.get(id) ?? []);
  }, [rows, ids]);
  const { data } = useQuery({
    // Another state, another sum: a job that ended is asked for once more, and then no longer.
    queryKey: ['GET /v1/usage/jobs', shown.map(({ id, state }) => `${id} ${state}`)],
    queryFn: ({ signal }) => request('GET /v1/usage/jobs', { query: { id: shown.map(({ id }) => id) } }, { signal }),
    enabled: enabled && shown.length > 0,
    placeholderData: keepPreviousData,
    refetchInterval: shown.some(({ endedAt }) => endedAt === null) ? runningMs : false,
  });
  return useMemo(() => new Map((data?.items ?? []).map((item) => [item.id, item])), [data]);
}

export const useUsageOf = (id: string): JobUsage | undefined => useContext(UsageContext).get(id);
