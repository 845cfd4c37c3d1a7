/** Tenants, which the operator makes, and their projects. */
import type { z } from 'zod';
import type { Routes } from '../../../common/contract/routes/index.ts';
import { type Tx, withSystem, withTenant } from '../../../common/database/index.ts';
import { SolyxError } from '../../../common/errors/index.ts';
import { appendEvents } from '../../../common/events/index.ts';
import type { Handlers } from '../../../common/http/index.ts';
import { newId } from '../../../common/ids.ts';
import { recordAudit } from '../audit/index.ts';
import type { ApiDeps } from '../deps.ts';
import { cursorId, makePage } from '../paging.ts';
import { iso } from '../wire.ts';
import { insertKey, toWireKey } from './key-rows.ts';

export interface ProjectRow {
  id: string;
  name: string;
  created_at: Date;
}

export interface TenantRow extends ProjectRow {
  operator: boolean;
}

type WireProject = z.output<Routes['createProject']['response']>;

export const toProject = (row: ProjectRow): WireProject => ({
  id: row.id,
  name: row.name,
  createdAt: iso(row.created_at),
});
export const toTenant = (row: TenantRow) => ({ ...toProject(row), operator: row.operator });

export function tenantHandlers({
  db,
}: ApiDeps): Handlers<'createTenant' | 'listTenants' | 'createProject' | 'listProjects'> {
  return {
    // Another tenant's rows are made here, which no tenant may do: hence as the system.
    createTenant: ({ principal, body, request }) =>
      withSystem(db, async (tx) => {
        const { rows } = await tx.query<TenantRow>(
          'insert into cmo_tenants (id, name) values ($1, $2) on conflict (name) do nothing returning *',
          [newId('tenant'), body.name],
        );
        const tenant = rows[0];
        if (!tenant) throw new SolyxError('already_exists', `A tenant is called ${body.name}.`);
        await appendEvents(tx, [
          {
            tenant: tenant.id,
            kind: 'tenant.created',
            subject: tenant.id,
            revision: 1n,
            data: { name: body.name, who: principal.keyId },
          },
        ]);
        const project = await insertProject(tx, tenant.id, body.project, principal.keyId);
        const { row, secret } = await insertKey(tx, {
          tenant: tenant.id,
          project,
          name: 'admin',
          kind: 'api',
          role: 'admin',
          who: principal.keyId,
        });
        const what = { action: 'tenant.created', subject: tenant.id, data: { name: body.name, key: row.id } };
        await recordAudit(tx, { principal, request, ...what });
        return { ...toTenant(tenant), project: toProject(project), key: { ...toWireKey(row), secret } };
      }),

    listTenants: ({ query }) =>
      withSystem(
        db,
        async (tx) => {
          const { rows } = await tx.query<TenantRow>('select * from cmo_tenants where id > $1 order by id limit $2', [
            cursorId('tenant', query.cursor) ?? '',
            query.limit + 1,
          ]);
          return makePage(rows, query.limit, toTenant);
        },
        { readOnly: true },
      ),

    createProject: ({ principal, body, request }) =>
      withTenant(db, principal.tenant.id, async (tx) => {
        const project = await insertProject(tx, principal.tenant.id, body.name, principal.keyId);
        const what = { action: 'project.created', subject: project.id, data: { name: body.name } };
        await recordAudit(tx, { principal, request, ...what });
        return toProject(project);
      }),

    listProjects: ({ principal, query }) =>
      withTenant(
        db,
        principal.tenant.id,
        async (tx) => {
          const { rows } = await tx.query<ProjectRow>(
            'select id, name, created_at from cmo_projects where tenant = $1 and id > $2 order by id limit $3',
            [principal.tenant.id, cursorId('project', query.cursor) ?? '', query.limit + 1],
          );
          return makePage(rows, query.limit, toProject);
        },
        { readOnly: true },
      ),
  };
}

async function insertProject(tx: Tx, tenant: string, name: string, who: string): Promise<ProjectRow> {
  const { rows } = await tx.query<ProjectRow>(
    `insert into cmo_projects (id, tenant, name) values ($1, $2, $3)
     on conflict (tenant, name) do nothing returning id, name, created_at`,
    [newId('project'), tenant, name],
  );
  const project = rows[0];
  if (!project) throw new SolyxError('already_exists', `A project is called ${name}.`);
  await appendEvents(tx, [{ tenant, kind: 'project.created', subject: project.id, revision: 1n, data: { name, who } }]);
  return project;
}

/** The project of a tenant by its name, or undefined. */
export async function findProject(
  tx: Tx,
  tenant: string,
  name: string,
): Promise<{ id: string; name: string } | undefined> {
  const { rows } = await tx.query<{ id: string; name: string }>(
    'select id, name from cmo_projects where tenant = $1 and name = $2',
    [tenant, name],
  );
  return rows[0];
}
