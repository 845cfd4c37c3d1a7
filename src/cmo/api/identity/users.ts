/**
 * People of a tenant: invited, given a role, shut out.
 *
 * Who is disabled loses sessions, keys and links for good, not only while disabled: whoever is shut out in an emergency must not
 * come back with what may have been stolen.
 */
import { type Tx, withTenant } from '../../../common/database/index.ts';
import { SolyxError } from '../../../common/errors/index.ts';
import { appendEvents } from '../../../common/events/index.ts';
import type { Handlers, Principal } from '../../../common/http/index.ts';
import type { ApiDeps } from '../deps.ts';
import { cursorId, makePage } from '../paging.ts';
import { deliverInvitation, mailsInvitation } from './invitations.ts';
import { endSessions } from './session-rows.ts';
import {
  changeUser,
  insertUser,
  readUser,
  requireOtherAdmin,
  selectUsers,
  toWireUser,
  type UserRow,
} from './user-rows.ts';

type UserRoute = 'listUsers' | 'inviteUser' | 'renewInvitation' | 'updateUser' | 'disableUser' | 'enableUser';

export function userHandlers(deps: ApiDeps): Handlers<UserRoute> {
  const { db, wake } = deps;
  return {
    listUsers: ({ principal, query }) =>
      withTenant(
        db,
        principal.tenant.id,
        async (tx) => {
          const { rows } = await tx.query<UserRow>(
            `${selectUsers} where u.tenant = $1 and u.kind = 'person' and u.id > $2 order by u.id limit $3`,
            [principal.tenant.id, cursorId('user', query.cursor) ?? '', query.limit + 1],
          );
          return makePage(rows, query.limit, toWireUser);
        },
        { readOnly: true },
      ),

    inviteUser: (call) => {
      const { principal, body } = call;
      const byMail = mailsInvitation(deps.identity, body.deliver);
      return deliverInvitation(deps, call, byMail, (tx) =>
        insertUser(tx, call, {
          kind: 'person',
          name: body.name ?? body.email.split('@')[0]!.slice(0, 100),
          email: body.email,
          role: body.role,
          project: body.project ?? principal.project.name,
        }),
      );
    },

    renewInvitation: (call) => {
      const { principal, params, body } = call;
      const byMail = mailsInvitation(deps.identity, body.deliver);
      return deliverInvitation(deps, call, byMail, async (tx) => {
        const user = await readUser(tx, principal.tenant.id, params.id, 'person');
        if (user.disabled_at) throw new SolyxError('conflict', `${user.email} is disabled; enable first.`);
        if (user.accepted_at) throw new SolyxError('conflict', `${user.email} has accepted already.`);
        return user;
      });
    },

    updateUser: (call) => {
      const { principal, params, body } = call;
      return withTenant(
        db,
        principal.tenant.id,
        async (tx) => {
          const before = await readUser(tx, principal.tenant.id, params.id);
          const role = body.role ?? before.role;
          const name = body.name ?? before.name;
          if (role === before.role && name === before.name) return toWireUser(before);
          if (before.role === 'admin' && role !== 'admin') await requireOtherAdmin(tx, principal.tenant.id, before.id);
          if (name !== before.name) await requireFreeName(tx, before, name);
          // The keys of a service account have its role; a person's are kept from more than hers at each request.
          if (before.kind === 'service') {
            await tx.query(`update cmo_api_keys set role = $3 where tenant = $1 and user_id = $2 and kind = 'api'`, [
              principal.tenant.id,
              before.id,
              role,
            ]);
          }
          const changed = await changeUser(tx, call, params.id, {
            action: before.kind === 'service' ? 'service-account.changed' : 'user.changed',
            set: 'role = $3, name = $4',
            values: [role, name],
            data: { ...(role !== before.role && { role, before: before.role }), ...(name !== before.name && { name }) },
          });
          tx.afterCommit(() => wake.wake('keys'));
          return toWireUser(changed);
        },
        { idempotent: true },
      );
    },

    disableUser: (call) =>
      withTenant(
        db,
        call.principal.tenant.id,
        async (tx) => {
          const { principal, params } = call;
          const before = await readUser(tx, principal.tenant.id, params.id);
          if (before.disabled_at) return toWireUser(before);
          if (before.role === 'admin') await requireOtherAdmin(tx, principal.tenant.id, before.id);
          const ended = await shutOut(tx, principal, before);
          const disabled = await changeUser(tx, call, params.id, {
            action: before.kind === 'service' ? 'service-account.disabled' : 'user.disabled',
            set: 'disabled_at = coalesce(disabled_at, now())',
            data: ended,
          });
          tx.afterCommit(() => wake.wake('keys'));
          return toWireUser(disabled);
        },
        { idempotent: true },
      ),

    enableUser: (call) =>
      withTenant(
        db,
        call.principal.tenant.id,
        async (tx) => {
          const before = await readUser(tx, call.principal.tenant.id, call.params.id);
          if (!before.disabled_at) return toWireUser(before);
          const action = before.kind === 'service' ? 'service-account.enabled' : 'user.enabled';
          return toWireUser(await changeUser(tx, call, before.id, { action, set: 'disabled_at = null' }));
        },
        { idempotent: true },
      ),
  };
}

async function requireFreeName(tx: Tx, user: UserRow, wanted: string): Promise<void> {
  if (user.kind !== 'service') return;
  const { rows } = await tx.query(`select from cmo_users where tenant = $1 and kind = 'service' and name = $2`, [
    user.tenant,
    wanted,
  ]);
  if (rows.length > 0) throw new SolyxError('already_exists', `A service account is called ${wanted}.`);
}

/** Ends all by which a user gets in. @returns how many of each, for the audit log */
async function shutOut(
  tx: Tx,
  principal: Principal,
  user: UserRow,
): Promise<{ sessions: number; keys: number; links: number }> {
  const sessions = await endSessions(tx, user.tenant, 'user_id = $2', user.id, 'its user was disabled');
  const keys = await tx.query<{ id: string; name: string }>(
    `update cmo_api_keys set revoked_at = now()
     where tenant = $1 and user_id = $2 and kind = 'api' and revoked_at is null returning id, name`,
    [user.tenant, user.id],
  );
  await appendEvents(
    tx,
    keys.rows.map(({ id, name }) => ({
      tenant: user.tenant,
      kind: 'key.revoked',
      subject: id,
      revision: 2n,
      data: { name, kind: 'api', why: 'its user was disabled', who: principal.keyId },
    })),
  );
  const links = await tx.query(
    `update cmo_links set revoked_at = now() where tenant = $1 and user_id = $2 and used_at is null and revoked_at is null`,
    [user.tenant, user.id],
  );
  return { sessions: sessions.length, keys: keys.rows.length, links: links.rowCount ?? 0 };
}
