/** What the projects of a tenant used. */
import { sumProjects } from '../../billing/index.ts';
import { withTenant } from '../../common/database/index.ts';
import type { Handlers } from '../../common/http/index.ts';
import type { ApiDeps } from './deps.ts';
import { toUsage } from './usage.ts';

export function usageHandlers({ db, clock }: ApiDeps): Handlers<'getUsage'> {
  return {
    getUsage: ({ principal, query }) =>
      withTenant(
        db,
        principal.tenant.id,
        async (tx) => {
          const { rows } = await tx.query<{ id: string; name: string }>(
            'select id, name from cmo_projects where tenant = $1 and ($2::text is null or name = $2) order by id',
            [principal.tenant.id, query.project ?? null],
          );
          const names = new Map(rows.map(({ id, name }) => [id, name]));
          if (names.size === 0) return { items: [] };
          const span = {
            project: query.project === undefined ? null : rows[0]!.id,
            from: query.from === undefined ? null : new Date(query.from),
            to: query.to === undefined ? null : new Date(query.to),
          };
          const sums = await sumProjects(tx, principal.tenant.id, span, clock.now());
          const items = sums.map(({ project, jobs, usage }) => ({
            project: { id: project, name: names.get(project) ?? project },
            jobs,
            usage: toUsage(usage),
          }));
          return { items };
        },
        { isolation: 'repeatable read', readOnly: true },
      ),
  };
}
