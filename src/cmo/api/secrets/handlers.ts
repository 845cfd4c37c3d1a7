/**
 * The secret store over HTTP: a value comes in and is sealed; names, versions and uses go out.
 *
 * Members keep the secrets of their own project; those of the whole tenant and of other projects are for admins, because every job
 * of the tenant may ask for them. Reading a value is nobody's: only a job gets it, at its start.
 */
import type { z } from 'zod';
import type { Routes } from '../../../common/contract/routes/index.ts';
import { type Tx, withTenant } from '../../../common/database/index.ts';
import { SolyxError } from '../../../common/errors/index.ts';
import { type Handlers, type Principal, roleAtLeast } from '../../../common/http/index.ts';
import { mostSecretBytes, rotateKey, type SecretRow } from '../../../common/secrets/index.ts';
import { findProject } from '../access/tenants.ts';
import { recordAudit } from '../audit/index.ts';
import type { ApiDeps } from '../deps.ts';
import { cursorId, makePage } from '../paging.ts';
import { iso } from '../wire.ts';

type WireSecret = z.output<Routes['setSecret']['response']>;
type Project = { readonly id: string; readonly name: string };

export function secretHandlers(
  deps: ApiDeps,
): Handlers<'setSecret' | 'listSecrets' | 'removeSecret' | 'rotateSecretsKey'> {
  const { db, secrets } = deps;
  return {
    setSecret: ({ principal, params, body, request }) => {
      const value = decode(body);
      return withTenant(db, principal.tenant.id, async (tx) => {
        const project = await scopeOf(tx, principal, body.project);
        requireKeeper(principal, project);
        const scope = { tenant: principal.tenant.id, project: project?.id ?? null };
        const row = await secrets.set(tx, scope, params.name, value, principal.keyId);
        const data = { name: row.name, project: project?.name ?? null, version: row.version };
        await recordAudit(tx, { principal, request, action: 'secret.set', subject: row.id, data });
        return toWire(row, project === null ? [] : [project]);
      });
    },

    listSecrets: ({ principal, query }) =>
      withTenant(
        db,
        principal.tenant.id,
        async (tx) => {
          const project = await scopeOf(tx, principal, query.project);
          const rows = await secrets.list(tx, principal.tenant.id, {
            project: project?.id,
            after: cursorId('secret', query.cursor) ?? '',
            limit: query.limit + 1,
          });
          const projects = await projectsOf(tx, rows);
          return makePage(rows, query.limit, (row) => toWire(row, projects));
        },
        { readOnly: true },
      ),

    removeSecret: ({ principal, params, query, request }) =>
      withTenant(db, principal.tenant.id, async (tx) => {
        const project = await scopeOf(tx, principal, query.project);
        requireKeeper(principal, project);
        const scope = { tenant: principal.tenant.id, project: project?.id ?? null };
        const row = await secrets.remove(tx, scope, params.name);
        if (!row) throw new SolyxError('not_found', `No secret ${params.name}${project ? ` of ${project.name}` : ''}.`);
        const data = { name: row.name, project: project?.name ?? null, version: row.version };
        await recordAudit(tx, { principal, request, action: 'secret.removed', subject: row.id, data });
        return undefined;
      }),

    rotateSecretsKey: async ({ principal, body, request }) => {
      const done = await rotateKey(db, secrets.keys, body).catch((error: NodeJS.ErrnoException) => {
        if (typeof error.code !== 'string' || error.syscall === undefined) throw error;
        throw new SolyxError('conflict', {
          detail: `The key file cannot be written (${error.code}): put a new key first into it yourself, then rotate with makeKey false.`,
          cause: error,
        });
      });
      await withTenant(db, principal.tenant.id, (tx) =>
        recordAudit(tx, { principal, request, action: 'secrets.key-rotated', subject: done.kekId, data: { ...done } }),
      );
      return { keyId: done.kekId, rewrapped: done.rewrapped, retired: done.retired };
    },
  };
}

/** @throws invalid_body, which names the limit and never the value */
function decode({ value, encoding }: { readonly value: string; readonly encoding: 'utf8' | 'base64' }): Buffer {
  const wrong = (message: string) => new SolyxError('invalid_body', { issues: [{ at: '/value', message }] });
  if (encoding === 'base64' && !/^[A-Za-z0-9+/]*={0,2}$/.test(value)) throw wrong('is not base64');
  const bytes = Buffer.from(value, encoding);
  if (bytes.length === 0) throw wrong('is empty');
  if (bytes.length > mostSecretBytes) throw wrong(`has ${bytes.length} bytes of at most ${mostSecretBytes}`);
  return bytes;
}

async function scopeOf(tx: Tx, principal: Principal, name: string | undefined): Promise<Project | null> {
  if (name === undefined) return null;
  const project = await findProject(tx, principal.tenant.id, name);
  if (!project) throw new SolyxError('not_found', `No project ${name}.`);
  return project;
}

function requireKeeper(principal: Principal, project: Project | null): void {
  if (roleAtLeast(principal.role, 'admin') || project?.id === principal.project.id) return;
  throw new SolyxError('forbidden', 'Role admin is needed; members keep the secrets of the project of their key.');
}

async function projectsOf(tx: Tx, rows: readonly SecretRow[]): Promise<Project[]> {
  const ids = [...new Set(rows.flatMap(({ project }) => project ?? []))];
  if (ids.length === 0) return [];
  return (await tx.query<Project>('select id, name from cmo_projects where id = any($1::text[])', [ids])).rows;
}

function toWire(row: SecretRow, projects: readonly Project[]): WireSecret {
  return {
    id: row.id,
    name: row.name,
    project: row.project === null ? null : { id: row.project, name: nameOf(row.project, projects) },
    version: row.version,
    createdAt: iso(row.created_at),
    updatedAt: iso(row.updated_at),
    updatedBy: row.updated_by,
    lastUsedAt: iso(row.last_used_at),
    lastUsedBy: row.last_used_by,
  };
}

const nameOf = (id: string, projects: readonly Project[]): string =>
  projects.find((project) => project.id === id)?.name ?? id;
