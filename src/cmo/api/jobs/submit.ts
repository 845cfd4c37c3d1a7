/**
 * Takes a job in: checked, durable, answered, and the scheduler woken, in that order.
 *
 * Job rows, labels, event, dirty key and the remembered answer are one transaction; a 201 means that all of it survives
 * any crash. The remembered answer is written last: of many equal requests at once all but one wait there for the
 * first, find its answer, and throw their own rows away. That costs repeats more and the usual case nothing.
 */
import { createHash } from 'node:crypto';
import type { z } from 'zod';
import { holdBlobs } from '../../../common/blobs/index.ts';
import type { JobSpec } from '../../../common/contract/job-spec.ts';
import type { Routes } from '../../../common/contract/routes/index.ts';
import { findUnsupported } from '../../../common/contract/unsupported-features.ts';
import { type Tx, withTenant } from '../../../common/database/index.ts';
import { SolyxError } from '../../../common/errors/index.ts';
import { failpoint } from '../../../common/failpoints.ts';
import type { Call, Principal } from '../../../common/http/index.ts';
import { insertJob } from '../../jobs/index.ts';
import type { ApiDeps, Preview } from '../deps.ts';
import { recall, remember } from './idempotency.ts';

type SubmitRoute = Routes['submitJob'];
type Submitted = z.output<SubmitRoute['response']>;

/** Makes the handler of POST /v1/jobs. */
export function submitJob(deps: ApiDeps) {
  return async (call: Call<SubmitRoute>): Promise<Submitted> => {
    const { principal, body: spec, query, request, reply } = call;
    const unsupported = findUnsupported(spec);
    if (unsupported.length > 0) throw new SolyxError('job_feature_unsupported', { issues: unsupported });
    const tenant = principal.tenant.id;
    if (query.dryRun) {
      // Not read-only: a bundle that somebody asks about is about to be used, and collection must spare it meanwhile.
      const project = await withTenant(deps.db, tenant, (tx) => settle(tx, deps, principal, spec), { idempotent: true });
      return { ...answer(spec, project), dryRun: true, verdict: toVerdict(await deps.preview(spec)) };
    }
    const key = request.headers['idempotency-key'] as string | undefined;
    const hash = requestHash(principal, spec);
    try {
      return await withTenant(
        deps.db,
        tenant,
        async (tx) => {
          const project = await settle(tx, deps, principal, spec);
          const jobs = await insertJob(tx, { tenant, project: project.id, spec, submittedBy: principal.keyId });
          const made = { ...answer(spec, project), id: jobs[0]!.id, arrayId: jobs[0]!.arrayId };
          if (key !== undefined) await remember(tx, { tenant, key, hash, response: made });
          tx.afterCommit(() => {
            failpoint('api.after-commit');
            deps.wake.wake('scheduler');
          });
          failpoint('api.before-commit');
          return made;
        },
        // With a key a second run finds the first one's answer; without one it would make a second job.
        { idempotent: key !== undefined },
      );
    } catch (error) {
      if (key === undefined) throw error;
      const earlier = await recall<Submitted>(error, deps.db, { tenant, key, hash });
      reply.header('idempotency-replayed', 'true');
      return earlier;
    }
  };
}

/** What the database must say before a job may be: project and secrets exist, the bundle was uploaded by this tenant. */
async function settle(tx: Tx, deps: ApiDeps, principal: Principal, spec: JobSpec): Promise<Principal['project']> {
  await requireBundle(tx, principal, spec);
  const project = await findProject(tx, principal, spec);
  const names = spec.secrets.map(({ name }) => name);
  const missing = await deps.secrets.missing(tx, principal.tenant.id, project.id, names);
  if (missing.length === 0) return project;
  throw new SolyxError('secret_missing', {
    issues: missing.map((name) => ({
      at: `/secrets/${names.indexOf(name)}/name`,
      message: `neither project ${project.name} nor the tenant has a secret "${name}"`,
    })),
  });
}

async function requireBundle(tx: Tx, principal: Principal, spec: JobSpec): Promise<void> {
  const bundle = typeof spec.workingDirectory === 'object' ? spec.workingDirectory.bundle : undefined;
  if (typeof spec.workingDirectory === 'string') {
    throw new SolyxError('bundle_missing', {
      issues: [{ at: '/workingDirectory', message: 'a folder of your machine; upload it and send {bundle: <sha256>}' }],
    });
  }
  if (bundle !== undefined) {
    const missing = await holdBlobs(tx, principal.tenant.id, [bundle]);
    if (missing.length > 0)
      throw new SolyxError('bundle_missing', {
        issues: [{ at: '/workingDirectory/bundle', message: 'was not uploaded' }],
      });
  }
}

async function findProject(tx: Tx, principal: Principal, spec: JobSpec): Promise<Principal['project']> {
  if (spec.project === undefined || spec.project === principal.project.name) return principal.project;
  const { rows } = await tx.query<{ id: string; name: string }>(
    'select id, name from cmo_projects where tenant = $1 and name = $2',
    [principal.tenant.id, spec.project],
  );
  if (!rows[0])
    throw new SolyxError('job_spec_invalid', { issues: [{ at: '/project', message: 'there is no such project' }] });
  return rows[0];
}

function answer(spec: JobSpec, project: Principal['project']): Submitted {
  return {
    id: null,
    arrayId: null,
    count: spec.array?.count ?? 1,
    name: spec.name,
    project,
    state: 'queued',
    dryRun: false,
    verdict: null,
  } satisfies Submitted;
}

const toVerdict = ({ startsNow, reason, message, rejections }: Preview): Submitted['verdict'] => ({
  startsNow,
  reason,
  message,
  rejections: { ...rejections },
});

/** Equal for specs that mean the same, in JSON or YAML, and for the same key's project. */
function requestHash(principal: Principal, spec: JobSpec): Buffer {
  return createHash('sha256')
    .update(`submitJob ${principal.project.id} ${JSON.stringify(spec)}`)
    .digest();
}
