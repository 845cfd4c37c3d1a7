/** What can be asked of a job while it lives: to end, to give up its place, to come back. */
import { type Tx, withTenant } from '../../../common/database/index.ts';
import type { Handlers } from '../../../common/http/index.ts';
import { type JobRow, requestCancel, requestResume, requestSuspend } from '../../jobs/index.ts';
import { recordAudit } from '../audit/index.ts';
import type { ApiDeps } from '../deps.ts';
import { projectNames } from './read.ts';
import { toJobSummary } from './wire.ts';

type Asked = Pick<Parameters<Handlers<'cancelJob'>['cancelJob']>[0], 'principal' | 'params' | 'request'>;
type Ask = (tx: Tx, jobId: string, by: string) => Promise<JobRow>;

export function jobControls(deps: ApiDeps): Handlers<'cancelJob' | 'suspendJob' | 'resumeJob'> {
  const control =
    (action: string, ask: Ask) =>
    ({ principal, params, request }: Asked) =>
      withTenant(
        deps.db,
        principal.tenant.id,
        async (tx) => {
          const job = await ask(tx, params.id, principal.keyId);
          tx.afterCommit(() => {
            deps.wake.wake('orchestrator');
            deps.wake.wake('scheduler');
          });
          const summary = toJobSummary(job, await projectNames(tx, [job]));
          const data = { name: job.name, state: job.state };
          await recordAudit(tx, { principal, request, action, subject: job.id, data });
          return summary;
        },
        { idempotent: true },
      );
  return {
    cancelJob: control('job.cancelled', requestCancel),
    suspendJob: control('job.suspended', requestSuspend),
    resumeJob: control('job.resumed', requestResume),
  };
}
