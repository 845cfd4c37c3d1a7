/**
 * Other names for tenants and projects, and the end of a project that nothing belongs to.
 *
 * Everything refers to them by id, so a name may change at any time; a spec names its project, and one that names the old one is refused with
 * its place. What has jobs stays: their bills and their audit log would belong to nobody. The database keeps watch over that.
 */
import { type Tx, withSystem, withTenant } from '../../../common/database/index.ts';
import { SolyxError } from '../../../common/errors/index.ts';
import type { Handlers, Principal } from '../../../common/http/index.ts';
import { recordAudit } from '../audit/index.ts';
import type { ApiDeps } from '../deps.ts';
import { type ProjectRow, type TenantRow, toProject, toTenant } from './tenants.ts';

/** What the rows that keep a project are called, by their table. */
const belongings: Readonly<Record<string, string>> = {
  cmo_jobs: 'jobs, which stay on record with what they cost',
  cmo_api_keys: 'keys that are not revoked',
  cmo_users: 'people or service accounts',
  cmo_accounts: 'a share or quota (`solyx quotas remove`)',
  secret_values: 'secrets',
  monitoring_channels: 'notification channels',
  drm_reservations: 'reservations',
};

export function namingHandlers({ db }: ApiDeps): Handlers<'updateTenant' | 'updateProject' | 'removeProject'> {
  return {
    // Tenants are rows of the system's: hence as the system.
    updateTenant: ({ principal, params, body, request }) =>
      withSystem(
        db,
        async (tx) => {
          const before = await nameOf(tx, 'cmo_tenants', params.id);
          const { rows } = await unlessTaken(
            `A tenant is called ${body.name}.`,
            tx.query<TenantRow>('update cmo_tenants set name = $2 where id = $1 returning *', [params.id, body.name]),
          );
          const data = { before, name: body.name };
          await recordAudit(tx, { principal, request, action: 'tenant.renamed', subject: params.id, data });
          return toTenant(rows[0]!);
        },
        { idempotent: true },
      ),

    updateProject: ({ principal, params, body, request }) =>
      withTenant(
        db,
        principal.tenant.id,
        async (tx) => {
          const before = await nameOf(tx, 'cmo_projects', params.id);
          const { rows } = await unlessTaken(
            `A project is called ${body.name}.`,
            tx.query<ProjectRow>('update cmo_projects set name = $2 where id = $1 returning id, name, created_at', [
              params.id,
              body.name,
            ]),
          );
          const data = { before, name: body.name };
          await recordAudit(tx, { principal, request, action: 'project.renamed', subject: params.id, data });
          return toProject(rows[0]!);
        },
        { idempotent: true },
      ),

    removeProject: async ({ principal, params, request }) => {
      await withTenant(db, principal.tenant.id, async (tx) => {
        const name = await nameOf(tx, 'cmo_projects', params.id);
        await remove(tx, principal, { id: params.id, name });
        await recordAudit(tx, { principal, request, action: 'project.removed', subject: params.id, data: { name } });
      });
      return undefined;
    },
  };
}

/** The present name, held until the end of the transaction. @throws not_found */
async function nameOf(tx: Tx, table: 'cmo_tenants' | 'cmo_projects', id: string): Promise<string> {
  const { rows } = await tx.query<{ name: string }>(`select name from ${table} where id = $1 for update`, [id]);
  if (!rows[0]) throw new SolyxError('not_found', `No ${table === 'cmo_tenants' ? 'tenant' : 'project'} ${id}.`);
  return rows[0].name;
}

/** @throws conflict while anything belongs to it */
async function remove(tx: Tx, principal: Principal, { id, name }: { id: string; name: string }): Promise<void> {
  // Keys that open nothing any more stay on record, for the sake of what was done with them; from now on as the asker's project's.
  await tx.query(
    `update cmo_api_keys set project = $2 where project = $1 and (revoked_at is not null or expires_at <= now())`,
    [id, principal.project.id],
  );
  try {
    await tx.query('delete from cmo_projects where id = $1', [id]);
  } catch (error) {
    const { code, table } = error as { code?: string; table?: string };
    if (code !== '23503') throw error;
    const what = belongings[table ?? ''] ?? 'things of its own';
    throw new SolyxError('conflict', { detail: `Project ${name} still has ${what}.`, cause: error });
  }
}

/** @throws already_exists */
async function unlessTaken<T>(message: string, written: Promise<T>): Promise<T> {
  try {
    return await written;
  } catch (error) {
    throw (error as { code?: string }).code === '23505' ? new SolyxError('already_exists', message) : error;
  }
}
