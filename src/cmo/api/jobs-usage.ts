/** What several jobs asked for and used, from one picture. */
import { sumJobs, sumUsage } from '../../billing/index.ts';
import type { JobSpec } from '../../common/contract/job-spec.ts';
import { withTenant } from '../../common/database/index.ts';
import type { Handlers } from '../../common/http/index.ts';
import type { ApiDeps } from './deps.ts';
import { picture } from './jobs/read.ts';
import { toUsage } from './usage.ts';

export function jobUsageHandlers({ db, clock }: ApiDeps): Handlers<'listJobUsage'> {
  return {
    listJobUsage: ({ principal, query }) =>
      withTenant(
        db,
        principal.tenant.id,
        async (tx) => {
          // Of the spec only this part: the whole may be half a megabyte.
          const { rows } = await tx.query<{ id: string; resources: JobSpec['resources'] }>(
            `select id, spec -> 'resources' as resources from cmo_jobs where tenant = $1 and id = any($2::text[]) order by id desc`,
            [principal.tenant.id, query.id],
          );
          const now = clock.now();
          const ids = rows.map(({ id }) => id);
          const sums = await sumJobs(tx, principal.tenant.id, ids, now);
          const none = sumUsage([], now);
          const items = rows.map(({ id, resources }) => ({
            id,
            devices: devicesOf(resources),
            usage: toUsage(sums.get(id) ?? none),
          }));
          return { items };
        },
        picture,
      ),
  };
}

/** What is asked for on all nodes together, by the first alternative. */
function devicesOf({ deviceAlternatives, nodes }: JobSpec['resources']) {
  return (deviceAlternatives[0] ?? []).map(({ kind, models, count, milli }) => ({
    kind,
    models,
    count: (count * nodes * milli) / 1000,
  }));
}
