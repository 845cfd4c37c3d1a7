/**
 * Which jobs the list shows, as its address says it: `/jobs?state=failed&label=team:vision&since=24h`. An address may be
 * typed or come from anywhere, so what is not understood is left out. Pure.
 */
import type { Input, JobState } from '../../api/contract.ts';
import { listOf, type Search, textOf } from '../../app/search.ts';
import { jobTones } from '../../ui/state-mark.tsx';

export const spans = { '1h': 3_600, '24h': 86_400, '7d': 604_800, '30d': 2_592_000 } as const;
export type Span = keyof typeof spans;

export interface Filters {
  readonly states: readonly JobState[];
  readonly namePrefix: string | null;
  readonly project: string | null;
  /** `key:value`; all must hold. */
  readonly labels: readonly string[];
  readonly mine: boolean;
  /** Id of a key. */
  readonly submittedBy: string | null;
  readonly arrayId: string | null;
  /** Submitted within the last hour, day, … */
  readonly since: Span | null;
  /** Submitted in an interval of instants, ISO 8601; `since` goes before it. */
  readonly from: string | null;
  readonly to: string | null;
}

export const noFilters: Filters = {
  states: [],
  namePrefix: null,
  project: null,
  labels: [],
  mine: false,
  submittedBy: null,
  arrayId: null,
  since: null,
  from: null,
  to: null,
};

const name = /^[a-zA-Z0-9]([a-zA-Z0-9._-]{0,61}[a-zA-Z0-9])?$/;
const prefix = /^[a-zA-Z0-9][a-zA-Z0-9._-]{0,62}$/;
const label = /^[a-zA-Z0-9][a-zA-Z0-9._/-]{0,62}:\P{Cc}{0,256}$/u;
const id = (prefix: string) => new RegExp(`^${prefix}_[0-9a-hjkmnp-tv-z]{26}$`);

/** Whether a text may be the beginning of a job's name; it may end in a hyphen, where a name may not. */
export const isNamePrefix = (text: string): boolean => prefix.test(text);
/** Whether a text is a label with its value. */
export const isLabel = (text: string): boolean => label.test(text);

export function parseFilters(search: Search): Filters {
  const one = (key: string, isValid: (text: string) => boolean) => {
    const text = textOf(search, key);
    return text !== undefined && isValid(text) ? text : null;
  };
  const instant = (text: string) => !Number.isNaN(Date.parse(text));
  const since = textOf(search, 'since');
  return {
    states: [...new Set(listOf(search, 'state'))].filter((state): state is JobState => Object.hasOwn(jobTones, state)),
    namePrefix: one('name', isNamePrefix),
    project: one('project', (text) => name.test(text)),
    labels: [...new Set(listOf(search, 'label'))].filter(isLabel).slice(0, 32),
    mine: textOf(search, 'mine') === 'true',
    submittedBy: one('submittedBy', (text) => id('key').test(text)),
    arrayId: one('arrayId', (text) => id('arr').test(text)),
    since: since !== undefined && Object.hasOwn(spans, since) ? (since as Span) : null,
    from: one('from', instant),
    to: one('to', instant),
  };
}

/** The address of filters; what is not set is not in it. */
export function filterSearch(filters: Filters): Search {
  const search: Record<string, string | readonly string[]> = {};
  if (filters.states.length > 0) search.state = filters.states;
  if (filters.namePrefix !== null) search.name = filters.namePrefix;
  if (filters.project !== null) search.project = filters.project;
  if (filters.labels.length > 0) search.label = filters.labels;
  if (filters.mine) search.mine = 'true';
  if (filters.submittedBy !== null) search.submittedBy = filters.submittedBy;
  if (filters.arrayId !== null) search.arrayId = filters.arrayId;
  if (filters.since !== null) search.since = filters.since;
  else {
    if (filters.from !== null) search.from = filters.from;
    if (filters.to !== null) search.to = filters.to;
  }
  return search;
}

export type JobsQuery = NonNullable<Input<'GET /v1/jobs'>['query']>;

/** What the API is asked. @param now for `since`, ms since 1970 */
export function filterQuery(filters: Filters, now: number): JobsQuery {
  const from = filters.since === null ? filters.from : new Date(now - spans[filters.since] * 1000).toISOString();
  const to = filters.since === null ? filters.to : null;
  return {
    ...(filters.states.length > 0 && { state: [...filters.states] }),
    ...(filters.namePrefix !== null && { namePrefix: filters.namePrefix }),
    ...(filters.project !== null && { project: filters.project }),
    ...(filters.labels.length > 0 && { label: [...filters.labels] }),
    ...(filters.mine && { mine: true }),
    ...(filters.submittedBy !== null && { submittedBy: filters.submittedBy }),
    ...(filters.arrayId !== null && { arrayId: filters.arrayId }),
    ...(from !== null && { from: new Date(from).toISOString() }),
    ...(to !== null && { to: new Date(to).toISOString() }),
  };
}

export const isFiltered = (filters: Filters): boolean => Object.keys(filterSearch(filters)).length > 0;

/** Whether the live connection can say how many new jobs a filter has: it knows no times and no people. */
export const countsFresh = ({ mine, since, from, to }: Filters): boolean =>
  !mine && to === null && (since !== null || from === null);
