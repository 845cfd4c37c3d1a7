/** API keys that people make for themselves, such as for the command line; never for more than they may themselves. */
import { recordAudit } from '../../../common/audit/index.ts';
import { withTenant } from '../../../common/database/index.ts';
import { SolyxError } from '../../../common/errors/index.ts';
import { appendEvents } from '../../../common/events/index.ts';
import { type Handlers, type Principal, roleAtLeast } from '../../../common/http/index.ts';
import { insertKey, type KeyRow, keyColumns, toWireKey } from '../access/key-rows.ts';
import type { ApiDeps } from '../deps.ts';
import { cursorId, makePage } from '../paging.ts';

export function ownKeyHandlers({ db, wake }: ApiDeps): Handlers<'listOwnKeys' | 'createOwnKey' | 'revokeOwnKey'> {
  return {
    listOwnKeys: ({ principal, query }) =>
      withTenant(
        db,
        principal.tenant.id,
        async (tx) => {
          const { rows } = await tx.query<KeyRow>(
            `select ${keyColumns} from cmo_api_keys k join cmo_projects p on p.tenant = k.tenant and p.id = k.project
             where k.tenant = $1 and k.user_id = $4 and k.kind = 'api' and k.id > $2 order by k.id limit $3`,
            [principal.tenant.id, cursorId('key', query.cursor) ?? '', query.limit + 1, principal.user?.id ?? null],
          );
          return makePage(rows, query.limit, toWireKey);
        },
        { readOnly: true },
      ),

    createOwnKey: ({ principal, body, request }) =>
      withTenant(db, principal.tenant.id, async (tx) => {
        const user = requirePerson(principal);
        const role = body.role ?? principal.role;
        if (!roleAtLeast(principal.role, role)) {
          throw new SolyxError('forbidden', `Your own role is ${principal.role}; a key cannot have more.`);
        }
        const { row, secret } = await insertKey(tx, {
          tenant: principal.tenant.id,
          project: principal.project,
          name: body.name,
          kind: 'api',
          role,
          userId: user.id,
          ...(body.expiresInSeconds !== undefined && { expiresInSeconds: body.expiresInSeconds }),
          who: principal.keyId,
        });
        await recordAudit(tx, {
          principal,
          action: 'key.created',
          subject: row.id,
          data: { name: row.name, role, own: true },
          request,
        });
        return { ...toWireKey(row), secret };
      }),

    revokeOwnKey: ({ principal, params, request }) =>
      withTenant(
        db,
        principal.tenant.id,
        async (tx) => {
          const mine = [principal.tenant.id, params.id, principal.user?.id ?? null];
          const { rowCount } = await tx.query(
            `update cmo_api_keys set revoked_at = now()
             where tenant = $1 and id = $2 and user_id = $3 and kind = 'api' and revoked_at is null`,
            mine,
          );
          const { rows } = await tx.query<KeyRow>(
            `select ${keyColumns} from cmo_api_keys k join cmo_projects p on p.tenant = k.tenant and p.id = k.project
             where k.tenant = $1 and k.id = $2 and k.user_id = $3 and k.kind = 'api'`,
            mine,
          );
          const row = rows[0];
          if (!row) throw new SolyxError('not_found', `No key ${params.id} of yours.`);
          if (rowCount === 1) {
            const data = { name: row.name, kind: row.kind, who: principal.keyId };
            await appendEvents(tx, [
              { tenant: principal.tenant.id, kind: 'key.revoked', subject: row.id, revision: 2n, data },
            ]);
            await recordAudit(tx, {
              principal,
              action: 'key.revoked',
              subject: row.id,
              data: { name: row.name, own: true },
              request,
            });
            tx.afterCommit(() => wake.wake('keys'));
          }
          return toWireKey(row);
        },
        { idempotent: true },
      ),
  };
}

/** @throws conflict for keys that belong to nobody, and for programs, whose keys an admin rotates */
function requirePerson({ user }: Principal): NonNullable<Principal['user']> {
  if (user?.kind === 'person') return user;
  throw new SolyxError(
    'conflict',
    user
      ? 'The keys of a service account are rotated by an admin.'
      : 'This key belongs to nobody; admins make such keys with createKey.',
  );
}
