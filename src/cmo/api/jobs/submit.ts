/**
 * Takes a job in: checked, durable, answered, and the scheduler woken, in that order.
 *
 * Job rows, labels, event, dirty key and the remembered answer are one statement, which requests of the same moment share
 * (`cmo/jobs/intake.ts`); a 201 means that all of it survives any crash. What must be looked up before, for specs that name
 * a bundle, a secret or another project, is looked up in a transaction of its own.
 */
import { createHash } from 'node:crypto';
import type { z } from 'zod';
import { holdBlobs } from '../../../common/blobs/index.ts';
import { parseImage } from '../../../common/contract/image.ts';
import type { JobSpec } from '../../../common/contract/job-spec.ts';
import type { Routes } from '../../../common/contract/routes/index.ts';
import { findUnsupported } from '../../../common/contract/unsupported-features.ts';
import { type Tx, withTenant } from '../../../common/database/index.ts';
import { SolyxError } from '../../../common/errors/index.ts';
import type { Call, Principal } from '../../../common/http/index.ts';
import { JobIntake, missingJobs, newJobRequest } from '../../jobs/index.ts';
import type { ApiDeps, Preview } from '../deps.ts';
import { recall } from './idempotency.ts';

type SubmitRoute = Routes['submitJob'];
type Submitted = z.output<SubmitRoute['response']>;

/** Makes the handler of POST /v1/jobs. */
export function submitJob(deps: ApiDeps) {
  const intake = new JobIntake(deps.db);
  return async (call: Call<SubmitRoute>): Promise<Submitted> => {
    const { principal, body: spec, query, request, reply } = call;
    const unsupported = findUnsupported(spec);
    if (unsupported.length > 0) throw new SolyxError('job_feature_unsupported', { issues: unsupported });
    const tenant = principal.tenant.id;
    if (query.dryRun) {
      const project = await settled(deps, principal, spec);
      const verdict = await deps.preview(spec, { tenant, project: project.id, submittedBy: principal.keyId });
      return { ...answer(spec, project), dryRun: true, verdict: toVerdict(verdict) };
    }
    const project = await settled(deps, principal, spec);
    const job = newJobRequest({ tenant, project: project.id, spec, submittedBy: principal.keyId });
    const made = {
      ...answer(spec, project),
      id: job.ids[0] as Submitted['id'],
      arrayId: job.arrayId as Submitted['arrayId'],
    };
    const key = request.headers['idempotency-key'] as string | undefined;
    const remembered = key === undefined ? undefined : { key, hash: requestHash(principal, spec), response: made };
    if (await intake.submit({ ...job, ...(remembered && { remembered }) })) {
      deps.wake.wake('scheduler');
      // Who comes first may have ended already.
      if (spec.after.length > 0) deps.wake.wake('orchestrator');
      return made;
    }
    const earlier = await recall<Submitted>(deps.db, { tenant, ...remembered! });
    // A repeat of our own after a broken connection finds what it made itself.
    if (earlier.id === made.id) deps.wake.wake('scheduler');
    else reply.header('idempotency-replayed', 'true');
    return earlier;
  };
}

/**
 * Settles a spec; most need nothing of the database. Not read-only, also in a dry run: a bundle that somebody asks about is about to
 * be used, and collection must spare it meanwhile.
 */
async function settled(deps: ApiDeps, principal: Principal, spec: JobSpec): Promise<Principal['project']> {
  const isPlain =
    spec.workingDirectory === undefined &&
    spec.image === undefined &&
    spec.secrets.length === 0 &&
    spec.after.length === 0 &&
    (spec.project === undefined || spec.project === principal.project.name);
  if (isPlain) return principal.project;
  return withTenant(deps.db, principal.tenant.id, (tx) => settle(tx, deps, principal, spec), { idempotent: true });
}

/** What the database must say before a job may be: project and secrets exist, the bundle was uploaded by this tenant. */
async function settle(tx: Tx, deps: ApiDeps, principal: Principal, spec: JobSpec): Promise<Principal['project']> {
  await requireBundle(tx, principal, spec);
  const project = await findProject(tx, principal, spec);
  await requireAwaited(tx, spec);
  const forImage = spec.imageCredentials?.secret;
  const names = [...spec.secrets.map(({ name }) => name), ...(forImage === undefined ? [] : [forImage])];
  const missing = await deps.secrets.missing(tx, principal.tenant.id, project.id, names);
  if (missing.length === 0) return project;
  throw new SolyxError('secret_missing', {
    issues: missing.map((name) => ({
      at:
        names.indexOf(name) < spec.secrets.length ? `/secrets/${names.indexOf(name)}/name` : '/imageCredentials/secret',
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
  await requireImage(tx, principal, spec);
}

async function requireAwaited(tx: Tx, spec: JobSpec): Promise<void> {
  const ids = spec.after.map(({ job }) => job);
  const missing = ids.length === 0 ? [] : await missingJobs(tx, ids);
  if (missing.length === 0) return;
  throw new SolyxError('job_spec_invalid', {
    issues: missing.map((id) => ({ at: `/after/${ids.indexOf(id)}`, message: `there is no job or array ${id}` })),
  });
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

/** An archive must have been uploaded by this tenant; other images are for nodes to find. */
async function requireImage(tx: Tx, principal: Principal, spec: JobSpec): Promise<void> {
  const image = spec.image === undefined ? undefined : parseImage(spec.image);
  if (image?.kind === 'archive-to-upload') {
    const message = 'a file of your machine; upload it and send oci-archive:sha256:<hash>';
    throw new SolyxError('bundle_missing', { issues: [{ at: '/image', message }] });
  }
  if (image?.kind === 'upload' && (await holdBlobs(tx, principal.tenant.id, [image.sha256])).length > 0) {
    throw new SolyxError('bundle_missing', { issues: [{ at: '/image', message: 'was not uploaded' }] });
  }
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

const toVerdict = ({ rejections, ...verdict }: Preview): Submitted['verdict'] => ({
  ...verdict,
  rejections: { ...rejections },
});

/** Equal for specs that mean the same, in JSON or YAML, and for the same key's project. */
function requestHash(principal: Principal, spec: JobSpec): Buffer {
  return createHash('sha256')
    .update(`submitJob ${principal.project.id} ${JSON.stringify(spec)}`)
    .digest();
}
