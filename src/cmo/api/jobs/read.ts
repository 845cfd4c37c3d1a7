/** Reads of jobs: lists, details, events. Each answer comes from one transaction, so that its parts agree. */
import { jobIntervals, sumUsage } from '../../../billing/index.ts';
import { type Queryable, type Tx, withTenant } from '../../../common/database/index.ts';
import { SolyxError } from '../../../common/errors/index.ts';
import type { Handlers } from '../../../common/http/index.ts';
import { getJob, type JobRow, listAttempts, listJobs, listRanks } from '../../jobs/index.ts';
import type { ApiDeps } from '../deps.ts';
import { cursorId, cursorNumber, makePage } from '../paging.ts';
import { toUsage } from '../usage.ts';
import { iso } from '../wire.ts';
import { keysOf } from './submitters.ts';
import { explainedIds, toJobSummary, toWireAttempt, toWireSpec } from './wire.ts';

const mostTimeline = 1_000;

interface EventRow {
  id: bigint;
  at: Date;
  kind: string;
  subject: string;
  revision: bigint;
  data: Record<string, unknown>;
}

const toEvent = (row: EventRow) => ({
  id: String(row.id),
  at: iso(row.at),
  kind: row.kind,
  subject: row.subject,
  revision: String(row.revision),
  data: row.data,
});

/** One picture of several statements. */
export const picture = { isolation: 'repeatable read', readOnly: true } as const;

export function jobReads(deps: ApiDeps): Handlers<'listJobs' | 'getJob' | 'listJobEvents'> {
  const { db } = deps;
  return {
    listJobs: ({ principal, query }) =>
      withTenant(
        db,
        principal.tenant.id,
        async (tx) => {
          const submitters = query.mine ? await keysOf(tx, principal) : undefined;
          return readList(tx, principal.tenant.id, query, submitters);
        },
        picture,
      ),

    getJob: ({ principal, params }) =>
      withTenant(db, principal.tenant.id, (tx) => readDetail(tx, params.id, deps.clock.now()), picture),

    listJobEvents: ({ principal, params, query }) =>
      withTenant(
        db,
        principal.tenant.id,
        async (tx) => {
          const job = await mustGetJob(tx, params.id);
          const attempts = await listAttempts(tx, job.id);
          const { rows } = await tx.query<EventRow>(
            `select id, at, kind, subject, revision, data from feed_events
             where tenant = $1 and subject = any($2::text[]) and id > $3 order by id limit $4`,
            [job.tenant, [job.id, ...attempts.map(({ id }) => id)], cursorNumber(query.cursor) ?? 0n, query.limit + 1],
          );
          return makePage(rows, query.limit, toEvent);
        },
        picture,
      ),
  };
}

/** Everything about a job. @throws not_found */
export async function readDetail(tx: Tx, id: string, now: Date) {
  const job = await mustGetJob(tx, id);
  const attempts = await listAttempts(tx, job.id);
  const ids = attempts.map((attempt) => attempt.id);
  const ranks = Map.groupBy(await listRanks(tx, ids), (rank) => rank.attempt_id);
  const { rows: events } = await tx.query<EventRow>(
    `select id, at, kind, subject, revision, data from feed_events
     where tenant = $1 and subject = any($2::text[]) order by id desc limit $3`,
    [job.tenant, [job.id, ...ids], mostTimeline],
  );
  const names = await placeNames(tx, attempts.flatMap(explainedIds));
  return {
    ...toJobSummary(job, await projectNames(tx, [job])),
    spec: toWireSpec(job.spec),
    checkpoint:
      job.checkpoint_hash !== null && job.checkpoint_at !== null
        ? { hash: job.checkpoint_hash, at: iso(job.checkpoint_at) }
        : null,
    timeline: events.reverse().map(toEvent),
    attempts: attempts.map((attempt) => toWireAttempt(attempt, ranks.get(attempt.id) ?? [], names)),
    usage: toUsage(sumUsage(await jobIntervals(tx, job.id), now)),
  };
}

export type ListQuery = Parameters<Handlers['listJobs']>[0]['query'];

/** A page of jobs, newest first. @param submitters ids of keys, any of which submitted them; default: whoever did */
export async function readList(tx: Tx, tenant: string, query: ListQuery, submitters?: readonly string[]) {
  const project = query.project === undefined ? undefined : await projectId(tx, tenant, query.project);
  if (project === null) return { items: [], nextCursor: null };
  const rows = await listJobs(tx, tenant, {
    state: query.state,
    project,
    namePrefix: query.namePrefix,
    labels: query.label?.map((text) => {
      const colon = text.indexOf(':');
      return { key: text.slice(0, colon), value: text.slice(colon + 1) };
    }),
    arrayId: query.arrayId,
    submittedBy: query.submittedBy,
    submitters,
    from: query.from === undefined ? undefined : new Date(query.from),
    to: query.to === undefined ? undefined : new Date(query.to),
    before: cursorId('job', query.cursor),
    limit: query.limit + 1,
  });
  const names = await projectNames(tx, rows);
  return makePage(rows, query.limit, (row) => toJobSummary(row, names));
}

/** The job, of this transaction's tenant. @throws not_found */
export async function mustGetJob(db: Queryable, id: string): Promise<JobRow> {
  const job = await getJob(db, id);
  if (!job) throw new SolyxError('not_found', `No job ${id}.`);
  return job;
}

async function projectId(tx: Tx, tenant: string, name: string): Promise<string | null> {
  const { rows } = await tx.query<{ id: string }>('select id from cmo_projects where tenant = $1 and name = $2', [
    tenant,
    name,
  ]);
  return rows[0]?.id ?? null;
}

/** Names of the jobs' projects, by id. */
export async function projectNames(tx: Tx, jobs: readonly Pick<JobRow, 'project'>[]): Promise<Map<string, string>> {
  const ids = [...new Set(jobs.map(({ project }) => project))];
  const { rows } = await tx.query<{ id: string; name: string }>(
    'select id, name from cmo_projects where id = any($1::text[])',
    [ids],
  );
  return new Map(rows.map(({ id, name }) => [id, name]));
}

/** Names of nodes and sites, by id. */
async function placeNames(tx: Tx, ids: readonly string[]): Promise<Map<string, string>> {
  if (ids.length === 0) return new Map();
  const { rows } = await tx.query<{ id: string; name: string }>(
    `select id, name from drm_nodes where id = any($1::text[])
     union all select id, name from drm_sites where id = any($1::text[])`,
    [[...new Set(ids)]],
  );
  return new Map(rows.map(({ id, name }) => [id, name]));
}
