/**
 * Finds stuck jobs. A job is **stuck** when for the channel's `stuckAfterMinutes`
 *
 * - it waits for what may never come: queued, and not because of its own start time, a back-off, or jobs that come before it;
 * - its node has been silent (`contactLostSince`);
 * - or it is on a node and nothing about it has moved: not its state, not its attempt, not a line of log, not a metric.
 *
 * Nothing stores when a log grew last, so each round notes a mark of what can be seen of an active job and since when it is the same
 * (`monitoring_progress`); that is right to a round's length. A job is told of once for each time that it got stuck.
 */
import type { Transaction } from '../../../common/database/queryable.ts';
import { progressMarks } from '../../../metapod/gateway/index.ts';
import { type ToldJobRow, toldColumns, toldOf } from './body.ts';
import { insertDeliveries, type NewDelivery } from './outbox.ts';

/** Most jobs of one kind that a round looks at; the longest stuck first. */
const mostJobs = 1_000;
/** Why a job waits in its turn, which is no trouble. */
const patientReasons = [
  'behind_others',
  'reserved_for_others',
  'earliest_start',
  'retry_backoff',
  'waits_for_jobs',
  'new',
  'waits_for_preempted',
];

interface ActiveRow {
  job_id: string;
  tenant: string;
  attempt_id: string;
  mark: string;
}

type StuckRow = { channel_id: string; since: Date; why: string } & ToldJobRow;

/** Writes stuck jobs into the outbox, of the tenants that want to know. @returns how many rows are new */
export async function findStuck(tx: Transaction, publicUrl: string | undefined): Promise<number> {
  const asked = await tx.query<{ tenant: string }>(
    `select distinct tenant from monitoring_channels where enabled and 'stuck' = any(events)`,
  );
  const tenants = asked.rows.map(({ tenant }) => tenant);
  if (tenants.length === 0) return 0;
  await noteProgress(tx, tenants);
  const rows = [...(await stuckOnNodes(tx, tenants)), ...(await stuckWaiting(tx, tenants))];
  return insertDeliveries(
    tx,
    rows.map((row): NewDelivery => {
      const stuck = { since: row.since.toISOString(), why: row.why };
      const told = toldOf(row, { event: 'stuck', at: row.since.toISOString(), stuck }, publicUrl);
      const dedupe = `${row.id} stuck ${row.since.getTime()}`;
      return { tenant: row.tenant, channelId: row.channel_id, dedupe, told };
    }),
  );
}

/** Notes what moved since the last round, and forgets jobs that are on no node any more. */
async function noteProgress(tx: Transaction, tenants: readonly string[]): Promise<void> {
  const { rows } = await tx.query<ActiveRow>(
    `select j.id as job_id, j.tenant, a.id as attempt_id,
            concat_ws(' ', j.state, a.state, a.number, j.contact_lost_since) as mark
     from cmo_jobs j join cmo_attempts a on a.job_id = j.id and a.state <> 'ended'
     where j.tenant = any($1::text[]) and j.state in ('starting', 'running', 'stopping')`,
    [[...tenants]],
  );
  const seen = await progressMarks(
    tx,
    rows.map(({ attempt_id }) => attempt_id),
  );
  await tx.query(
    `insert into monitoring_progress as p (job_id, tenant, mark)
     select * from unnest($1::text[], $2::text[], $3::text[])
     on conflict (job_id) do update set mark = excluded.mark, since = now() where p.mark <> excluded.mark`,
    [
      rows.map(({ job_id }) => job_id),
      rows.map(({ tenant }) => tenant),
      rows.map(({ mark, attempt_id }) => `${mark} ${seen.get(attempt_id) ?? ''}`),
    ],
  );
  await tx.query('delete from monitoring_progress where not (job_id = any($1::text[]))', [
    rows.map(({ job_id }) => job_id),
  ]);
}

const channelJoin = `join monitoring_channels c on c.tenant = j.tenant and c.enabled and 'stuck' = any(c.events)
  and (c.project is null or c.project = j.project)`;

async function stuckOnNodes(tx: Transaction, tenants: readonly string[]): Promise<StuckRow[]> {
  const { rows } = await tx.query<StuckRow>(
    `select c.id as channel_id, s.since, s.why, ${toldColumns}
     from monitoring_progress m
     join cmo_jobs j on j.id = m.job_id and j.state in ('starting', 'running', 'stopping')
     join cmo_projects p on p.tenant = j.tenant and p.id = j.project
     cross join lateral (
       select coalesce(j.contact_lost_since, m.since) as since,
              case when j.contact_lost_since is not null then 'its node is silent'
                   when j.state = 'running' then 'it neither writes to its log nor reports metrics'
                   else 'it is ' || j.state end as why
     ) as s
     ${channelJoin}
     where m.tenant = any($1::text[]) and s.since < now() - make_interval(mins => c.stuck_after_minutes)
     order by s.since limit $2`,
    [[...tenants], mostJobs],
  );
  return rows;
}

async function stuckWaiting(tx: Transaction, tenants: readonly string[]): Promise<StuckRow[]> {
  const { rows } = await tx.query<StuckRow>(
    `select c.id as channel_id, s.since, 'it waits: ' || j.pending_reason as why, ${toldColumns}
     from cmo_jobs j
     join cmo_projects p on p.tenant = j.tenant and p.id = j.project
     cross join lateral (
       select greatest(j.submitted_at, j.deferred_until,
                       (select max(a.ended_at) from cmo_attempts a where a.job_id = j.id)) as since
     ) as s
     ${channelJoin}
     where j.tenant = any($1::text[]) and j.state = 'queued' and not (j.pending_reason = any($2::text[]))
       and s.since < now() - make_interval(mins => c.stuck_after_minutes)
     order by j.id limit $3`,
    [[...tenants], patientReasons, mostJobs],
  );
  return rows;
}
