/** The live connection for React: subscriptions that live as long as their component, and answers in the cache kept up to date. */
import { useQueryClient } from '@tanstack/react-query';
import { createContext, useContext, useEffect, useRef, useState, useSyncExternalStore } from 'react';
import type { JobDetail, JobSummary, JobsParams, LiveParams, LiveTopic } from '../../../src/common/contract/live.ts';
import type { LiveClient, LiveHandlers, LiveSubscription } from './client.ts';
import { patchJob } from './patch.ts';
import type { LiveStatus } from './status.ts';

/** The page's connection; `LiveContext value={client}` stands around the app. */
export const LiveContext = createContext<LiveClient | null>(null);

function useClient(): LiveClient {
  const client = useContext(LiveContext);
  if (client === null) throw new Error('there is no LiveContext around this component');
  return client;
}

/** Whether what is shown is live, and since when not. */
export function useLiveStatus(): LiveStatus {
  const client = useClient();
  return useSyncExternalStore(
    (changed) => client.onStatus(changed),
    () => client.status,
  );
}

/**
 * Subscribes while the component is there; null for no subscription. Parameters are compared by value, and handlers may be new at
 * every render.
 */
export function useLive<T extends LiveTopic>(topic: T | null, params: LiveParams<T>, handlers: LiveHandlers<T>): void {
  useSubscription(topic, params, handlers);
}

function useSubscription<T extends LiveTopic>(topic: T | null, params: LiveParams<T>, handlers: LiveHandlers<T>) {
  const client = useClient();
  const latest = useRef(handlers);
  const subscription = useRef<LiveSubscription | null>(null);
  latest.current = handlers;
  const paramsText = JSON.stringify(params);
  useEffect(() => {
    if (topic === null) return;
    const opened = client.subscribe<T>(topic, JSON.parse(paramsText), {
      onSnapshot: (data) => latest.current.onSnapshot(data),
      onDelta: (data) => latest.current.onDelta(data),
      onReset: () => latest.current.onReset?.(),
      onError: (error) => latest.current.onError?.(error),
    });
    subscription.current = opened;
    return () => {
      subscription.current = null;
      opened.close();
    };
  }, [client, topic, paramsText]);
  return subscription;
}

export interface LiveJobs {
  /** How many jobs belong into this list and are not in it: "4 new". */
  readonly fresh: number;
}

/**
 * Keeps the rows of a list live.
 *
 * @param params the list's filters; null: not live
 * @param ids the rows that are on the screen, at most 500
 * @param onRows takes rows as they are now (`patchJobs`)
 */
export function useLiveJobs(
  params: Omit<JobsParams, 'ids' | 'limit'> | null,
  ids: readonly string[],
  onRows: (jobs: readonly JobSummary[]) => void,
): LiveJobs {
  const [fresh, setFresh] = useState(0);
  const subscription = useSubscription(
    params === null ? null : 'jobs',
    { ...params, limit: 1 },
    {
      // Rows come by `watch`; the snapshot's newest job matters only when it is one of them.
      onSnapshot: ({ items }) => {
        setFresh(0);
        onRows(items);
      },
      onDelta: ({ put, fields }) => {
        if (fields?.fresh !== undefined) setFresh(fields.fresh);
        if (put !== undefined && put.length > 0) onRows(put);
      },
    },
  );
  const idsText = ids.join(' ');
  // biome-ignore lint/correctness/useExhaustiveDependencies: a new subscription must be told the rows again
  useEffect(() => {
    subscription.current?.watch(idsText === '' ? [] : idsText.split(' '));
  }, [idsText, params === null, JSON.stringify(params)]);
  return { fresh };
}

/** Keeps the cached answer of `GET /v1/jobs/:id` live; pages read it with `useQuery(read('GET /v1/jobs/:id', …))` as ever. */
export function useLiveJob(id: string): void {
  const cache = useQueryClient();
  const queryKey = ['GET /v1/jobs/:id', { params: { id } }];
  useLive(
    `job/${id}`,
    {},
    {
      onSnapshot: (detail) => cache.setQueryData(queryKey, detail),
      onDelta: (delta) => {
        cache.setQueryData<JobDetail>(queryKey, (held) => (held === undefined ? held : patchJob(held, delta)));
      },
    },
  );
}
