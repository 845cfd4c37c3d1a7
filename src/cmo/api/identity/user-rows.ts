/** Rows of users: people and service accounts of a tenant. Each change has its revision, its event and its audit entry. */
import type { z } from 'zod';
import { recordAudit } from '../../../common/audit/index.ts';
import type { Role, Routes } from '../../../common/contract/routes/index.ts';
import type { Tx } from '../../../common/database/index.ts';
import { SolyxError } from '../../../common/errors/index.ts';
import { appendEvents } from '../../../common/events/index.ts';
import type { Call, Principal } from '../../../common/http/index.ts';
import { newId } from '../../../common/ids.ts';
import { findProject } from '../access/tenants.ts';
import { iso } from '../wire.ts';

export interface UserRow {
  id: string;
  tenant: string;
  kind: 'person' | 'service';
  name: string;
  email: string | null;
  role: Role;
  project: string;
  project_name: string;
  accepted_at: Date | null;
  disabled_at: Date | null;
  invitation_until: Date | null;
  last_seen_at: Date | null;
  created_at: Date;
  revision: bigint;
}

type Asking = Pick<Call<Routes['whoami']>, 'request'> & { readonly principal: Principal };

/** Selects `UserRow`s of `cmo_users u`; append a WHERE. */
export const selectUsers = `
  select u.id, u.tenant, u.kind, u.name, u.email, u.role, u.project, p.name as project_name, u.accepted_at, u.disabled_at,
         (select max(l.expires_at) from cmo_links l where l.user_id = u.id and l.kind = 'invite' and l.used_at is null
            and l.revoked_at is null and l.expires_at > now()) as invitation_until,
         (select max(k.last_used_at) from cmo_api_keys k where k.user_id = u.id) as last_seen_at,
         u.created_at, u.revision
  from cmo_users u join cmo_projects p on p.tenant = u.tenant and p.id = u.project`;

/** @throws not_found */
export async function readUser(tx: Tx, tenant: string, id: string, kind?: UserRow['kind']): Promise<UserRow> {
  const { rows } = await tx.query<UserRow>(
    `${selectUsers} where u.tenant = $1 and u.id = $2 and ($3::text is null or u.kind = $3)`,
    [tenant, id, kind ?? null],
  );
  if (!rows[0]) throw new SolyxError('not_found', `No ${kind === 'service' ? 'service account' : 'user'} ${id}.`);
  return rows[0];
}

export interface NewUser {
  readonly kind: UserRow['kind'];
  readonly name: string;
  readonly email: string | null;
  readonly role: Role;
  /** Name of the project; default that of who asks. */
  readonly project: string | undefined;
}

/** Makes a user. A service account is there at once, a person once she accepted. @throws already_exists, invalid_body */
export async function insertUser(tx: Tx, { principal }: Asking, user: NewUser): Promise<UserRow> {
  const tenant = principal.tenant.id;
  const project = user.project === undefined ? principal.project : await findProject(tx, tenant, user.project);
  if (!project)
    throw new SolyxError('invalid_body', { issues: [{ at: '/project', message: 'there is no such project' }] });
  const id = newId('user');
  const { rowCount } = await tx.query(
    `insert into cmo_users (id, tenant, project, kind, name, email, role, accepted_at)
     values ($1, $2, $3, $4, $5, $6, $7, case when $4 = 'service' then now() end)
     on conflict do nothing`,
    [id, tenant, project.id, user.kind, user.name, user.email, user.role],
  );
  if (rowCount === 0) {
    throw new SolyxError('already_exists', `${user.email ?? `A service account called ${user.name}`} is here already.`);
  }
  const kind = user.kind === 'person' ? 'user.invited' : 'service-account.created';
  const data = { name: user.name, role: user.role, who: principal.keyId };
  await appendEvents(tx, [{ tenant, kind, subject: id, revision: 1n, data }]);
  return readUser(tx, tenant, id);
}

export interface UserChange {
  /** What happened, for event and audit log: `user.disabled`. */
  readonly action: string;
  /** Assignments of the UPDATE; $3 … are `values`. */
  readonly set: string;
  readonly values?: readonly unknown[];
  readonly data?: Readonly<Record<string, unknown>>;
}

/** Changes a user, with all that belongs to a change; last in the transaction. @returns how it is afterwards */
export async function changeUser(
  tx: Tx,
  { principal, request }: Asking,
  id: string,
  change: UserChange,
): Promise<UserRow> {
  const tenant = principal.tenant.id;
  const { rows } = await tx.query<{ revision: bigint }>(
    `update cmo_users set ${change.set}, revision = revision + 1, updated_at = now()
     where tenant = $1 and id = $2 returning revision`,
    [tenant, id, ...(change.values ?? [])],
  );
  if (!rows[0]) throw new SolyxError('not_found', `No user ${id}.`);
  const { action, data } = change;
  await appendEvents(tx, [
    { tenant, kind: action, subject: id, revision: rows[0].revision, data: { ...data, who: principal.keyId } },
  ]);
  const user = await readUser(tx, tenant, id);
  await recordAudit(tx, { principal, action, subject: id, data: data ?? {}, request });
  return user;
}

/**
 * Refuses a change after which nobody could administer the tenant: no admin user that is active, and no admin key that belongs
 * to nobody. Admins are locked in order of id, so that two who demote each other meet here.
 * @param without the user who would be admin no more
 * @throws last_admin
 */
export async function requireOtherAdmin(tx: Tx, tenant: string, without: string): Promise<void> {
  const admins = await tx.query<{ id: string }>(
    `select id from cmo_users where tenant = $1 and role = 'admin' and accepted_at is not null and disabled_at is null
       and kind = 'person' order by id for no key update`,
    [tenant],
  );
  if (!admins.rows.some(({ id }) => id === without) || admins.rows.length > 1) return;
  const { rows } = await tx.query(
    `select from cmo_api_keys where tenant = $1 and kind = 'api' and role = 'admin' and user_id is null and revoked_at is null
       and coalesce(expires_at > now(), true) limit 1`,
    [tenant],
  );
  if (rows.length === 0) throw new SolyxError('last_admin');
}

export function toWireUser(row: UserRow): z.output<Routes['updateUser']['response']> {
  return {
    id: row.id,
    kind: row.kind,
    name: row.name,
    email: row.email,
    role: row.role,
    state: row.disabled_at !== null ? 'disabled' : row.accepted_at !== null ? 'active' : 'invited',
    project: { id: row.project, name: row.project_name },
    invitationExpiresAt: iso(row.invitation_until),
    lastSeenAt: iso(row.last_seen_at),
    createdAt: iso(row.created_at),
    revision: String(row.revision),
  };
}
