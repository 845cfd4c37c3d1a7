/** API keys and join tokens of a tenant: made, listed, revoked; and whose key is asking. */

import type { Routes } from '../../../common/contract/routes/index.ts';
import { type Tx, withTenant } from '../../../common/database/index.ts';
import { SolyxError } from '../../../common/errors/index.ts';
import { appendEvents } from '../../../common/events/index.ts';
import type { Call, Handlers } from '../../../common/http/index.ts';
import { getSite } from '../../../drm/tracker/index.ts';
import { recordAudit } from '../audit/index.ts';
import type { ApiDeps } from '../deps.ts';
import { cursorId, makePage } from '../paging.ts';
import { insertKey, type KeyRow, keyColumns, type NewKey, toWireKey } from './key-rows.ts';
import { findProject } from './tenants.ts';
import { toWhoami } from './whoami.ts';

/** A join token that was not told how long it lasts, seconds. */
const joinSeconds = 86_400;

export function keyHandlers({ db, wake }: ApiDeps): Handlers<'createKey' | 'listKeys' | 'revokeKey' | 'whoami'> {
  return {
    createKey: (call) =>
      withTenant(db, call.principal.tenant.id, async (tx) => {
        const { principal, body, request } = call;
        const join = joinOptions(call);
        if (join.siteId !== undefined) await mustHaveSite(tx, join.siteId);
        const project =
          body.project === undefined ? principal.project : await findProject(tx, principal.tenant.id, body.project);
        if (!project) throw wrong('/project', 'there is no such project');
        const expires = body.expiresInSeconds ?? (body.kind === 'join' ? joinSeconds : undefined);
        const { row, secret } = await insertKey(tx, {
          tenant: principal.tenant.id,
          project,
          name: body.name,
          kind: body.kind,
          role: body.role,
          ...join,
          ...(expires !== undefined && { expiresInSeconds: expires }),
          who: principal.keyId,
        });
        const data = { name: row.name, kind: row.kind, role: row.role, project: project.name };
        await recordAudit(tx, { principal, request, action: 'key.created', subject: row.id, data });
        return { ...toWireKey(row), secret };
      }),

    listKeys: ({ principal, query }) =>
      withTenant(
        db,
        principal.tenant.id,
        async (tx) => {
          const { rows } = await tx.query<KeyRow>(
            `select ${keyColumns} from cmo_api_keys k join cmo_projects p on p.tenant = k.tenant and p.id = k.project
             where k.tenant = $1 and k.id > $2 and k.kind <> 'session' order by k.id limit $3`,
            [principal.tenant.id, cursorId('key', query.cursor) ?? '', query.limit + 1],
          );
          return makePage(rows, query.limit, toWireKey);
        },
        { readOnly: true },
      ),

    revokeKey: ({ principal, params, request }) =>
      withTenant(
        db,
        principal.tenant.id,
        async (tx) => {
          const { rowCount } = await tx.query(
            `update cmo_api_keys set revoked_at = now()
             where tenant = $1 and id = $2 and revoked_at is null and kind <> 'session'`,
            [principal.tenant.id, params.id],
          );
          const { rows } = await tx.query<KeyRow>(
            `select ${keyColumns} from cmo_api_keys k join cmo_projects p on p.tenant = k.tenant and p.id = k.project
             where k.tenant = $1 and k.id = $2 and k.kind <> 'session'`,
            [principal.tenant.id, params.id],
          );
          const row = rows[0];
          if (!row) throw new SolyxError('not_found', `No key ${params.id}.`);
          if (rowCount === 1) {
            const data = { name: row.name, kind: row.kind, who: principal.keyId };
            await appendEvents(tx, [
              { tenant: principal.tenant.id, kind: 'key.revoked', subject: row.id, revision: 2n, data },
            ]);
            // Gateways look at once whether this was the token of one of their nodes.
            tx.afterCommit(() => wake.wake('keys'));
            const what = { name: row.name, kind: row.kind };
            await recordAudit(tx, { principal, request, action: 'key.revoked', subject: row.id, data: what });
          }
          return toWireKey(row);
        },
        { idempotent: true },
      ),

    whoami: async ({ principal }) => toWhoami(principal),
  };
}

/** What only join tokens have. @throws forbidden, invalid_body */
function joinOptions({ principal, body }: Call<Routes['createKey']>): Pick<NewKey, 'siteId' | 'usesLeft'> {
  if (body.kind === 'api') {
    if (body.siteId !== undefined) throw wrong('/siteId', 'only join tokens have a site');
    if (body.uses !== undefined) throw wrong('/uses', 'only join tokens have uses');
    return {};
  }
  if (!principal.operator) throw new SolyxError('forbidden', 'Only the operator lets nodes join.');
  if (body.siteId === undefined) throw wrong('/siteId', 'a join token needs the site that nodes join');
  return { siteId: body.siteId, usesLeft: body.uses ?? 1 };
}

async function mustHaveSite(tx: Tx, siteId: string): Promise<void> {
  await getSite(tx, siteId).catch((error: unknown) => {
    throw error instanceof SolyxError && error.code === 'not_found' ? wrong('/siteId', 'there is no such site') : error;
  });
}

const wrong = (at: string, message: string): SolyxError =>
  new SolyxError('invalid_body', { issues: [{ at, message }] });
