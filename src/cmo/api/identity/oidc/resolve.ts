/**
 * Which user somebody is whom the provider has named.
 *
 * Issuer and subject decide, once they were joined to a user. They are joined by a verified e-mail address only where somebody
 * here wanted that address: it has an open invitation, or its domain is one that the operator says this provider speaks for.
 * An address alone would let whoever can make up an account at the provider walk into somebody's place.
 */
import { recordAudit } from '../../../../common/audit/index.ts';
import type { Role } from '../../../../common/contract/routes/index.ts';
import type { Tx } from '../../../../common/database/index.ts';
import { SolyxError } from '../../../../common/errors/index.ts';
import { appendEvents } from '../../../../common/events/index.ts';
import { newId } from '../../../../common/ids.ts';
import { acceptUser } from '../invitations.ts';
import { requireOtherAdmin } from '../user-rows.ts';
import type { Identity } from './provider.ts';
import { type OidcSettings, roleOf } from './settings.ts';

interface FoundUser {
  id: string;
  tenant: string;
  project: string;
  role: Role;
  accepted: boolean;
  disabled: boolean;
}

const selectFound = `select u.id, u.tenant, u.project, u.role, u.accepted_at is not null as accepted,
  u.disabled_at is not null as disabled from cmo_users u`;

/**
 * Finds, joins or makes the user.
 * @param tx of the system
 * @param inviteHash invitation that the person came with, as the hash of its token
 * @throws sign_in_refused with what is missing, link_invalid
 */
export async function resolveUser(
  tx: Tx,
  settings: OidcSettings,
  identity: Identity,
  inviteHash: Buffer | null,
): Promise<{ id: string; tenant: string; project: string }> {
  const home = await homeTenant(tx, settings);
  const user = inviteHash
    ? await byInvitation(tx, identity, inviteHash)
    : await byIdentity(tx, settings, identity, home);
  if (user.disabled) throw refused('Your account here is disabled.');
  if (user.tenant === home) await followRole(tx, settings, identity, user);
  return user;
}

async function byInvitation(tx: Tx, identity: Identity, inviteHash: Buffer): Promise<FoundUser> {
  const { rows } = await tx.query<{ user_id: string; tenant: string }>(
    `update cmo_links set used_at = now()
     where hash = $1 and kind = 'invite' and used_at is null and revoked_at is null and expires_at > now()
     returning user_id, tenant`,
    [inviteHash],
  );
  if (!rows[0]) throw new SolyxError('link_invalid');
  const { user_id: id, tenant } = rows[0];
  const found = await tx.query<FoundUser>(`${selectFound} where u.tenant = $1 and u.id = $2 and u.email = $3`, [
    tenant,
    id,
    identity.email ?? null,
  ]);
  if (!found.rows[0])
    throw refused('The invitation is for another e-mail address than the one that the provider verified.');
  await joinUser(tx, identity, found.rows[0]);
  return found.rows[0];
}

async function byIdentity(
  tx: Tx,
  settings: OidcSettings,
  identity: Identity,
  home: string | undefined,
): Promise<FoundUser> {
  const { rows } = await tx.query<FoundUser>(
    `${selectFound} join cmo_identities i on i.tenant = u.tenant and i.user_id = u.id
     where i.issuer = $1 and i.subject = $2
     order by u.tenant is distinct from $3, u.disabled_at is not null,
       (select max(k.last_used_at) from cmo_api_keys k where k.user_id = u.id) desc nulls last, u.id limit 1`,
    [identity.issuer, identity.subject, home ?? null],
  );
  const known = rows[0];
  if (known?.tenant === home && known) return known;
  const arrived = await arrive(tx, settings, identity, home);
  if (typeof arrived !== 'string') return arrived;
  // At home in another tenant only, such as by its invitation.
  if (known) return known;
  throw refused(arrived);
}

/** Brings somebody into the home tenant by her verified address. @returns the user, or why not */
async function arrive(
  tx: Tx,
  settings: OidcSettings,
  identity: Identity,
  home: string | undefined,
): Promise<FoundUser | string> {
  const { email } = identity;
  if (email === undefined) return 'The provider did not say a verified e-mail address.';
  if (home === undefined) return `There is no tenant ${settings.tenant}.`;
  const isSpokenFor = settings.allowedDomains.includes(email.slice(email.indexOf('@') + 1));
  const { rows } = await tx.query<FoundUser>(`${selectFound} where u.tenant = $1 and u.email = $2`, [home, email]);
  const user = rows[0];
  // Whoever signed in here before by other means is joined only where the provider speaks for the domain.
  if (user && (isSpokenFor || !user.accepted)) {
    if (!user.disabled) await joinUser(tx, identity, user);
    return user;
  }
  if (user) return `${email} has signed in here by other means, and oidc.allowedDomains does not name its domain.`;
  if (!isSpokenFor) return `Nobody has invited ${email}.`;
  return makeUser(tx, settings, identity, home, email);
}

async function makeUser(
  tx: Tx,
  settings: OidcSettings,
  identity: Identity,
  tenant: string,
  email: string,
): Promise<FoundUser> {
  const role = roleOf(settings, identity.claims);
  if (role === undefined) throw refused(`Nothing that the provider says of ${email} gives a role here.`);
  const id = newId('user');
  const name = identity.name ?? email.split('@')[0]!.slice(0, 100);
  const { rows } = await tx.query<{ project: string }>(
    `insert into cmo_users (id, tenant, project, kind, name, email, role, accepted_at)
     select $1, $2, (select id from cmo_projects where tenant = $2 order by name <> 'default', id limit 1), 'person', $3, $4, $5, now()
     returning project`,
    [id, tenant, name, email, role],
  );
  await appendEvents(tx, [
    { tenant, kind: 'user.accepted', subject: id, revision: 1n, data: { role, why: 'its e-mail domain', who: id } },
  ]);
  const user = { id, tenant, project: rows[0]!.project, role, accepted: true, disabled: false };
  await joinUser(tx, identity, user);
  return user;
}

/** Remembers whose subject this is, and makes a user of who was invited. */
async function joinUser(tx: Tx, { issuer, subject, name }: Identity, user: FoundUser): Promise<void> {
  const { rowCount } = await tx.query(
    `insert into cmo_identities (tenant, user_id, issuer, subject) values ($1, $2, $3, $4) on conflict do nothing`,
    [user.tenant, user.id, issuer, subject],
  );
  if (rowCount === 0)
    throw refused('Another account of the provider belongs to this user, or this account to another user.');
  if (!user.accepted) await acceptUser(tx, user.tenant, user.id, name);
  await recordAudit(tx, {
    system: 'sign-in',
    tenant: user.tenant,
    action: 'user.joined',
    subject: user.id,
    data: { issuer, providerSubject: subject },
  });
}

/** Where roles come from the provider, each sign-in brings the present one. */
async function followRole(tx: Tx, settings: OidcSettings, identity: Identity, user: FoundUser): Promise<void> {
  if (settings.roleClaim === undefined) return;
  const role = roleOf(settings, identity.claims);
  if (role === undefined) throw refused('Nothing that the provider says of you gives a role here.');
  if (role === user.role) return;
  if (user.role === 'admin') await requireOtherAdmin(tx, user.tenant, user.id);
  const { rows } = await tx.query<{ revision: bigint }>(
    `update cmo_users set role = $3, revision = revision + 1, updated_at = now() where tenant = $1 and id = $2 returning revision`,
    [user.tenant, user.id, role],
  );
  const data = { role, before: user.role, why: 'the provider said so' };
  await appendEvents(tx, [
    { tenant: user.tenant, kind: 'user.changed', subject: user.id, revision: rows[0]!.revision, data },
  ]);
  await recordAudit(tx, { system: 'sign-in', tenant: user.tenant, action: 'user.changed', subject: user.id, data });
}

/** Id of the tenant that people come to without an invitation to another. */
async function homeTenant(tx: Tx, { tenant }: OidcSettings): Promise<string | undefined> {
  const { rows } = await tx.query<{ id: string }>(
    tenant === undefined
      ? 'select id from cmo_tenants where operator order by id limit 1'
      : 'select id from cmo_tenants where name = $1',
    tenant === undefined ? [] : [tenant],
  );
  return rows[0]?.id;
}

const refused = (detail: string): SolyxError => new SolyxError('sign_in_refused', detail);
