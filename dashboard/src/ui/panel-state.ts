/**
 * Which of its states a panel shows, from what its query knows. Pure, so that every panel of every page decides alike:
 * what was read once stays on screen, marked stale, whatever fails afterwards.
 */
import { asProblem, type Problem } from '../api/problem.ts';

/** What a panel needs of a TanStack query. */
export interface QueryLike<Data> {
  readonly data: Data | undefined;
  readonly error: Error | null;
  readonly isPending: boolean;
  /** Failures since the last answer, ≥ 0. */
  readonly failureCount?: number;
  readonly failureReason?: Error | null;
  readonly dataUpdatedAt?: number;
  refetch(): unknown;
}

export type PanelState<Data> =
  | { kind: 'loading' }
  /** Nobody answered, and nothing was read before. */
  | { kind: 'offline'; problem: Problem }
  | { kind: 'forbidden'; problem: Problem }
  | { kind: 'error'; problem: Problem }
  | { kind: 'empty' }
  /** `stale`: the newest try failed; `since` is when the data was read, milliseconds since 1970. */
  | { kind: 'ready'; data: Data; stale: { problem: Problem; since: number } | null };

export function panelState<Data>(query: QueryLike<Data>, isEmpty?: (data: Data) => boolean): PanelState<Data> {
  const failure = query.error ?? (query.failureCount ? (query.failureReason ?? null) : null);
  if (query.data !== undefined) {
    const refusal = failure && asProblem(failure);
    // What one may no longer see must not stay on screen.
    if (refusal?.status === 403) return { kind: 'forbidden', problem: refusal };
    if (!refusal && isEmpty?.(query.data)) return { kind: 'empty' };
    const stale = refusal ? { problem: refusal, since: query.dataUpdatedAt ?? 0 } : null;
    return { kind: 'ready', data: query.data, stale };
  }
  if (failure === null) return { kind: 'loading' };
  const problem = asProblem(failure);
  if (problem.status === 403) return { kind: 'forbidden', problem };
  // Told at the first failure already, while it is still being asked again.
  if (problem.code === 'network') return { kind: 'offline', problem };
  return query.error === null ? { kind: 'loading' } : { kind: 'error', problem };
}

/** The role that a refusal asks for, when it says so. */
export function roleNeeded(problem: Problem): string | null {
  return /Role (\w+) is needed/.exec(problem.detail ?? '')?.[1] ?? null;
}
