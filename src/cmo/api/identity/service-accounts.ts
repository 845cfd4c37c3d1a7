/**
 * Service accounts: users for programs, with keys of their own.
 *
 * A new key does not end the ones before at once: programs that run have to be told the new one first, so the old ones go on
 * for an overlap and then expire by themselves, whether or not anybody remembers.
 */
import type { z } from 'zod';
import { recordAudit } from '../../../common/audit/index.ts';
import type { Routes } from '../../../common/contract/routes/index.ts';
import { type Tx, withTenant } from '../../../common/database/index.ts';
import { SolyxError } from '../../../common/errors/index.ts';
import { appendEvents } from '../../../common/events/index.ts';
import type { Handlers, Principal } from '../../../common/http/index.ts';
import { insertKey, type KeyRow, keyColumns, toWireKey } from '../access/key-rows.ts';
import type { ApiDeps } from '../deps.ts';
import { cursorId, makePage } from '../paging.ts';
import { insertUser, readUser, selectUsers, toWireUser, type UserRow } from './user-rows.ts';

type WireAccount = z.output<Routes['listServiceAccounts']['response']>['items'][number];
type ServiceRoute = 'listServiceAccounts' | 'createServiceAccount' | 'rotateServiceAccount';

export function serviceAccountHandlers({ db, wake }: ApiDeps): Handlers<ServiceRoute> {
  return {
    listServiceAccounts: ({ principal, query }) =>
      withTenant(
        db,
        principal.tenant.id,
        async (tx) => {
          const { rows } = await tx.query<UserRow>(
            `${selectUsers} where u.tenant = $1 and u.kind = 'service' and u.id > $2 order by u.id limit $3`,
            [principal.tenant.id, cursorId('user', query.cursor) ?? '', query.limit + 1],
          );
          const keys = await livingKeys(
            tx,
            principal.tenant.id,
            rows.map(({ id }) => id),
          );
          return makePage(rows, query.limit, (row) => toWireAccount(row, keys));
        },
        { isolation: 'repeatable read', readOnly: true },
      ),

    createServiceAccount: (call) =>
      withTenant(db, call.principal.tenant.id, async (tx) => {
        const { principal, body, request } = call;
        const { name, role, project } = body;
        const account = await insertUser(tx, call, { kind: 'service', name, email: null, role, project });
        const key = await addKey(tx, principal, account, body.expiresInSeconds);
        await recordAudit(tx, {
          principal,
          action: 'service-account.created',
          subject: account.id,
          data: { name, role, key: key.id },
          request,
        });
        return { account: toWireAccount(account, [key.row]), key: key.wire };
      }),

    rotateServiceAccount: ({ principal, params, body, request }) =>
      withTenant(db, principal.tenant.id, async (tx) => {
        const tenant = principal.tenant.id;
        // Two rotations at once would each let the other's new key expire.
        await tx.query('select from cmo_users where tenant = $1 and id = $2 for no key update', [tenant, params.id]);
        const account = await readUser(tx, tenant, params.id, 'service');
        if (account.disabled_at) throw new SolyxError('conflict', `${account.name} is disabled; enable it first.`);
        await retireKeys(tx, principal, account, body.overlapSeconds);
        const key = await addKey(tx, principal, account, body.expiresInSeconds);
        const keys = await livingKeys(tx, tenant, [account.id]);
        await recordAudit(tx, {
          principal,
          action: 'service-account.rotated',
          subject: account.id,
          data: { name: account.name, key: key.id, overlapSeconds: body.overlapSeconds },
          request,
        });
        tx.afterCommit(() => wake.wake('keys'));
        return { account: toWireAccount(account, keys), key: key.wire };
      }),
  };
}

async function addKey(tx: Tx, principal: Principal, account: UserRow, expiresInSeconds: number | undefined) {
  const { row, secret } = await insertKey(tx, {
    tenant: account.tenant,
    project: { id: account.project, name: account.project_name },
    name: account.name,
    kind: 'api',
    role: account.role,
    userId: account.id,
    ...(expiresInSeconds !== undefined && { expiresInSeconds }),
    who: principal.keyId,
  });
  return { id: row.id, row, wire: { ...toWireKey(row), secret } };
}

/** Lets the keys of an account expire after the overlap, or earlier where they would anyway; without one, revokes them. */
async function retireKeys(tx: Tx, principal: Principal, account: UserRow, overlapSeconds: number): Promise<void> {
  const { rows } = await tx.query<{ id: string; name: string }>(
    `update cmo_api_keys
     set expires_at = least(expires_at, now() + make_interval(secs => $3)), revoked_at = case when $3 = 0 then now() end
     where tenant = $1 and user_id = $2 and kind = 'api' and revoked_at is null and coalesce(expires_at > now(), true)
     returning id, name`,
    [account.tenant, account.id, overlapSeconds],
  );
  await appendEvents(
    tx,
    rows.map(({ id, name }) => ({
      tenant: account.tenant,
      kind: overlapSeconds === 0 ? 'key.revoked' : 'key.retired',
      subject: id,
      revision: 2n,
      data: { name, kind: 'api', overlapSeconds, who: principal.keyId },
    })),
  );
}

async function livingKeys(tx: Tx, tenant: string, users: readonly string[]): Promise<KeyRow[]> {
  const { rows } = await tx.query<KeyRow>(
    `select ${keyColumns} from cmo_api_keys k join cmo_projects p on p.tenant = k.tenant and p.id = k.project
     where k.tenant = $1 and k.user_id = any($2::text[]) and k.kind = 'api' and k.revoked_at is null
       and coalesce(k.expires_at > now(), true)
     order by k.id`,
    [tenant, users],
  );
  return rows;
}

function toWireAccount(row: UserRow, keys: readonly KeyRow[]): WireAccount {
  return { ...toWireUser(row), keys: keys.filter(({ user_id }) => user_id === row.id).map(toWireKey) };
}
