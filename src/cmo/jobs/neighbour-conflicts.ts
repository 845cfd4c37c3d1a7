/**
 * Looks again, in the transaction that places jobs, at what their rules say of other jobs.
 *
 * Several schedulers plan at once, each on what it knew, so two of them may put jobs side by side that one would have kept apart. Capacity
 * cannot tell: the jobs may stand on different nodes of one rack. So those that place jobs of a tenant under such rules do so one after the
 * other, and each counts what stands in the part by then. It costs by what stands there, and nothing for jobs without rules.
 *
 * What it does not see: a job without rules that another scheduler places in the very moment in which a rule about it arrives.
 */
import type { Placement } from '../../common/contract/plan.ts';
import type { Transaction } from '../../common/database/queryable.ts';

interface Item {
  readonly placement: Placement;
  readonly tenant: string;
}

/** In one order, and after all locks of jobs, nodes and devices. */
const lockTenants = `
  select pg_advisory_xact_lock(hashtextextended('neighbours ' || tenant, 0))
  from (select distinct tenant from unnest($1::text[]) as t (tenant) order by tenant) as ordered`;

/** Parts as \`state/label-sets.ts\` of the scheduler has them: a rack is one of its pod, an island one of its rack. */
const isSamePart = `
  n.site_id = mine.site_id and case t.level
    when 'site' then true
    when 'pod' then n.labels ->> 'pod' = mine.labels ->> 'pod'
    else n.labels ->> t.level = mine.labels ->> t.level
      and n.labels ->> 'pod' is not distinct from mine.labels ->> 'pod'
      and (t.level = 'rack' or n.labels ->> 'rack' is not distinct from mine.labels ->> 'rack')
  end`;

/** Whether labels are meant by names with values of which any will do; both as JSON. */
const means = (wanted: string, labels: string) => `
  not exists (select from jsonb_each(${wanted}) as w (name, wanted) where not coalesce(wanted ? (${labels} ->> name), false))`;

const isMeant = `
  case
    when t.meant ? 'labels' then ${means(`t.meant -> 'labels'`, `coalesce(other.spec -> 'labels', '{}')`)}
    when t.meant ? 'array' then other.array_id = t.meant ->> 'array'
    else exists (
      select from jsonb_array_elements(coalesce(other.spec #> '{placement,antiAffinity}', '[]')) as rule
      where (rule ->> 'required')::boolean and rule ->> 'within' = t.level
        and ${means(`rule -> 'jobs'`, `coalesce(me.spec -> 'labels', '{}')`)})
  end`;

const findConflicts = `
  with term as (
    select * from unnest($1::text[], $2::text[], $3::text[], $4::text[], $5::jsonb[], $6::int[])
      with ordinality as t (job_id, tenant, node_id, level, meant, most, number)
  ), part as (
    select t.number, t.node_id as id from term t where t.level = 'node'
    union all
    select t.number, n.id from term t join drm_nodes mine on mine.id = t.node_id join drm_nodes n on ${isSamePart}
    where t.level <> 'node'
  ), standing as (
    select p.number, r.attempt_id, r.tenant from part p
    join cmo_attempt_ranks r on r.node_id = p.id and r.state <> 'ended'
    union all
    select t.number, l.attempt_id, l.tenant from term t
    join drm_allocations l on l.tenant = t.tenant and l.state <> 'released' where t.level is null
  )
  select t.job_id as "jobId", min(t.level) as level from term t
  join cmo_jobs me on me.id = t.job_id
  join standing s on s.number = t.number and s.tenant = t.tenant
  join cmo_attempts a on a.id = s.attempt_id and a.state <> 'ended'
  join cmo_jobs other on other.id = a.job_id and other.id <> t.job_id
  where ${isMeant}
  group by t.number, t.job_id, t.most having count(*) > t.most`;

/** Jobs beside which others stand by now whom their rules, or those of the others, keep apart; with what to say. */
export async function conflicts(tx: Transaction, items: readonly Item[]): Promise<ReadonlyMap<string, string>> {
  const terms = items.flatMap(({ placement, tenant }) =>
    (placement.neighbours ?? []).flatMap(({ meant, level, most }) => {
      const nodes: readonly (string | null)[] = level === null ? [null] : placement.ranks.map(({ nodeId }) => nodeId);
      return nodes.map((nodeId) => ({
        jobId: placement.jobId,
        tenant,
        nodeId,
        level,
        meant: JSON.stringify(meant),
        most,
      }));
    }),
  );
  if (terms.length === 0) return new Map();
  await tx.query(lockTenants, [terms.map(({ tenant }) => tenant)]);
  const { rows } = await tx.query<{ jobId: string; level: string | null }>(findConflicts, [
    terms.map(({ jobId }) => jobId),
    terms.map(({ tenant }) => tenant),
    terms.map(({ nodeId }) => nodeId),
    terms.map(({ level }) => level),
    terms.map(({ meant }) => meant),
    terms.map(({ most }) => most),
  ]);
  return new Map(
    rows.map(({ jobId, level }) => [
      jobId,
      `another plan placed a job ${level === null ? 'somewhere' : `in its ${level}`} that its placement rules do not go with`,
    ]),
  );
}
