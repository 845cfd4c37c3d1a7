/**
 * Invitations: a one-time link that makes a person a user of a tenant.
 *
 * By e-mail or by hand, never both: a link that also stood in an admin's terminal proves no e-mail address, and what an
 * address proves opens the person's other tenants. The mail goes out after the commit, so that no link is sent that does not
 * work; when it cannot be sent, that is said, and the invitation can be renewed.
 */
import type { FastifyRequest } from 'fastify';
import type { z } from 'zod';
import { recordAudit } from '../../../common/audit/index.ts';
import type { Routes } from '../../../common/contract/routes/index.ts';
import { type Tx, withSystem, withTenant } from '../../../common/database/index.ts';
import { SolyxError } from '../../../common/errors/index.ts';
import { appendEvents } from '../../../common/events/index.ts';
import type { Handlers, Principal } from '../../../common/http/index.ts';
import { parseKey } from '../../../common/keys.ts';
import type { ApiDeps } from '../deps.ts';
import { iso } from '../wire.ts';
import { insertLink, takeLink } from './links.ts';
import { signIn } from './sessions.ts';
import { type IdentitySettings, linkMailOf } from './settings.ts';
import { asStranger } from './stranger.ts';
import { readUser, toWireUser, type UserRow } from './user-rows.ts';

type Invitation = z.output<Routes['inviteUser']['response']>;

/** How long an invitation can be accepted, seconds. */
const invitationSeconds = 7 * 86_400;

/** Whether an invitation goes by e-mail. @throws mail_unavailable when that was asked for and cannot be */
export function mailsInvitation(settings: IdentitySettings, deliver: 'mail' | 'link' | undefined): boolean {
  const canMail = linkMailOf(settings) !== undefined;
  if (deliver === 'mail' && !canMail) throw new SolyxError('mail_unavailable');
  return canMail && deliver !== 'link';
}

/**
 * Makes the link of an invitation, withdraws those before, and sends it where it goes by e-mail.
 * @param whom finds or makes the user in the same transaction
 */
export async function deliverInvitation(
  { db, identity, logger }: ApiDeps,
  { principal, request }: { readonly principal: Principal; readonly request: FastifyRequest },
  byMail: boolean,
  whom: (tx: Tx) => Promise<UserRow>,
): Promise<Invitation> {
  const tenant = principal.tenant.id;
  const { user, link } = await withTenant(db, tenant, async (tx) => {
    const { id, email, role } = await whom(tx);
    await tx.query(
      `update cmo_links set revoked_at = now()
       where tenant = $1 and user_id = $2 and kind = 'invite' and used_at is null and revoked_at is null`,
      [tenant, id],
    );
    const proof = byMail ? 'email' : 'link';
    const made = await insertLink(tx, {
      tenant,
      kind: 'invite',
      userId: id,
      madeBy: null,
      proof,
      expiresInSeconds: invitationSeconds,
    });
    await recordAudit(tx, {
      principal,
      action: 'user.invited',
      subject: id,
      data: { email, role, by: proof },
      request,
    });
    return { user: await readUser(tx, tenant, id), link: made };
  });
  const mail = byMail ? linkMailOf(identity) : undefined;
  if (!mail) return { user: toWireUser(user), sent: false, link: { path: link.path, expiresAt: iso(link.expiresAt) } };
  const inviter = principal.user?.name ?? 'An administrator';
  const sent = await mail.mailer
    .send({
      to: user.email!,
      subject: `You are invited to ${principal.tenant.name} on Solyx`,
      text: `${inviter} invites you to ${principal.tenant.name} on Solyx, as ${user.role}.\n\nOpen this link to accept; it works once, until ${iso(link.expiresAt)}:\n\n${mail.publicUrl}${link.path}\n\nIf you did not expect this, do nothing.\n`,
    })
    .then(
      () => true,
      (error: unknown) => {
        logger.warn({ err: error, userId: user.id }, 'an invitation could not be sent');
        return false;
      },
    );
  return { user: toWireUser(user), sent, link: null };
}

interface LookRow {
  tenant_name: string;
  email: string;
  name: string;
  role: UserRow['role'];
  expires_at: Date;
}

export function invitationHandlers(deps: ApiDeps): Handlers<'getInvitation' | 'acceptInvitation'> {
  return {
    getInvitation: ({ body, request }) =>
      asStranger(request, async () => {
        const token = parseKey(body.link);
        if (token?.kind !== 'invite') throw new SolyxError('link_invalid');
        const { rows } = await withSystem(
          deps.db,
          (tx) =>
            tx.query<LookRow>(
              `select t.name as tenant_name, u.email, u.name, u.role, l.expires_at
               from cmo_links l
               join cmo_users u on u.tenant = l.tenant and u.id = l.user_id
               join cmo_tenants t on t.id = l.tenant
               where l.hash = $1 and l.kind = 'invite' and l.used_at is null and l.revoked_at is null and l.expires_at > now()`,
              [token.hash],
            ),
          { readOnly: true },
        );
        const row = rows[0];
        if (!row) throw new SolyxError('link_invalid');
        return {
          tenant: row.tenant_name,
          email: row.email,
          name: row.name,
          role: row.role,
          expiresAt: iso(row.expires_at),
        };
      }),

    acceptInvitation: ({ body, request, reply }) =>
      asStranger(request, () =>
        signIn(deps, request, reply, async (tx) => {
          const session = await takeLink(tx, 'invite', body.link, request);
          await acceptUser(tx, session.tenant, session.userId!, body.name);
          return session;
        }),
      ),
  };
}

/** Makes who was invited a user. @throws link_invalid when she is one already or was shut out */
export async function acceptUser(tx: Tx, tenant: string, userId: string, name: string | undefined): Promise<void> {
  const { rows } = await tx.query<{ revision: bigint }>(
    `update cmo_users set accepted_at = now(), name = coalesce($3, name), revision = revision + 1, updated_at = now()
     where tenant = $1 and id = $2 and accepted_at is null and disabled_at is null returning revision`,
    [tenant, userId, name ?? null],
  );
  if (!rows[0]) throw new SolyxError('link_invalid');
  await appendEvents(tx, [
    { tenant, kind: 'user.accepted', subject: userId, revision: rows[0].revision, data: { who: userId } },
  ]);
}
