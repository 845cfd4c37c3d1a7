/** The queue of a tenant, as people ask about it: how long, why, and who is first. */
import { withTenant } from '../../../common/database/index.ts';
import type { Handlers } from '../../../common/http/index.ts';
import { readQueue } from '../../jobs/index.ts';
import type { ApiDeps } from '../deps.ts';
import { iso } from '../wire.ts';
import { picture, projectNames } from './read.ts';

export function queueHandlers({ db }: ApiDeps): Handlers<'getQueue'> {
  return {
    getQueue: ({ principal, query }) =>
      withTenant(
        db,
        principal.tenant.id,
        async (tx) => {
          const { reasons, first } = await readQueue(tx, principal.tenant.id, query.limit);
          const names = await projectNames(tx, first);
          return {
            waiting: reasons.reduce((sum, { jobs }) => sum + jobs, 0),
            reasons: [...reasons],
            items: first.map((job, index) => ({
              position: index + 1,
              ahead: job.pending_detail?.ahead ?? null,
              id: job.id,
              name: job.name,
              project: { id: job.project, name: names.get(job.project) ?? job.project },
              priority: job.priority,
              submittedAt: iso(job.submitted_at),
              reason: job.pending_reason!,
              message: job.pending_detail?.message ?? null,
              expectedAt: job.pending_detail?.expectedAt ?? null,
            })),
          };
        },
        picture,
      ),
  };
}
