/** Links that sign a browser in: made by who is signed in already, such as the command line (`solyx open`), or mailed to oneself. */
import { recordAudit } from '../../../common/audit/index.ts';
import { type Tx, withSystem, withTenant } from '../../../common/database/index.ts';
import { SolyxError } from '../../../common/errors/index.ts';
import { type Handlers, refuseFor } from '../../../common/http/index.ts';
import type { ApiDeps } from '../deps.ts';
import { iso } from '../wire.ts';
import { insertLink, type MadeLink } from './links.ts';
import { rootKeyOf } from './session-rows.ts';
import { linkMailOf } from './settings.ts';
import { asStranger } from './stranger.ts';

type LoginRoute = 'createLoginLink' | 'mailLoginLink' | 'getSignInOptions';

/** How long a mailed link works, seconds; mail may take its time. */
const mailedSeconds = 900;
/** Mailed links of a person that may be open at once: more would only fill her mailbox, and the earlier ones work. */
const mostMailed = 3;

export function loginLinkHandlers(deps: ApiDeps): Handlers<LoginRoute> {
  const { db, identity, logger } = deps;
  return {
    createLoginLink: ({ principal, body, request }) =>
      withTenant(db, principal.tenant.id, async (tx) => {
        const link = await insertLink(tx, {
          tenant: principal.tenant.id,
          kind: 'login',
          userId: principal.user?.id ?? null,
          madeBy: await rootKeyOf(tx, principal),
          proof: 'link',
          expiresInSeconds: body.expiresInSeconds,
        });
        await recordAudit(tx, { principal, action: 'login-link.created', subject: link.id, request });
        const url = identity.publicUrl === undefined ? null : `${identity.publicUrl.replace(/\/+$/, '')}${link.path}`;
        return { path: link.path, url, expiresAt: iso(link.expiresAt) };
      }),

    mailLoginLink: ({ body, request }) =>
      asStranger(request, async () => {
        const mail = linkMailOf(identity);
        if (!mail) throw new SolyxError('mail_unavailable');
        // Each asking counts, whoever is asked for: mail is sent to people who did not ask.
        refuseFor(request.server.limits.strangers.take(request.ip));
        const link = await withSystem(db, (tx) => linkFor(tx, body.email));
        // Not waited for: how long the answer takes would tell whether there is such a user.
        if (link) {
          mail.mailer
            .send({
              to: body.email,
              subject: 'Sign in to Solyx',
              text: `Open this link to sign in; it works once, until ${iso(link.expiresAt)}:\n\n${mail.publicUrl}${link.path}\n\nIf you did not ask for this, do nothing.\n`,
            })
            .catch((error: unknown) => logger.warn({ err: error, linkId: link.id }, 'a login link could not be sent'));
        }
        return undefined;
      }),

    getSignInOptions: async () => {
      const { oidc } = identity;
      return {
        mail: linkMailOf(identity) !== undefined,
        oidc: oidc ? { name: oidc.settings.name, logoutUrl: await oidc.logoutUrl() } : null,
      };
    },
  };
}

/** A link for the user of an address who was here last; undefined when there is none, or enough mails are under way. */
async function linkFor(tx: Tx, email: string): Promise<MadeLink | undefined> {
  const { rows } = await tx.query<{ id: string; tenant: string }>(
    `select u.id, u.tenant from cmo_users u
     where u.email = $1 and u.accepted_at is not null and u.disabled_at is null
     order by (select max(k.last_used_at) from cmo_api_keys k where k.user_id = u.id) desc nulls last, u.id
     limit 1 for no key update`,
    [email],
  );
  const user = rows[0];
  if (!user) return undefined;
  const open = await tx.query(
    `select from cmo_links l join cmo_users u on u.id = l.user_id
     where u.email = $1 and l.kind = 'login' and l.proof = 'email' and l.used_at is null and l.revoked_at is null
       and l.expires_at > now()`,
    [email],
  );
  if (open.rows.length >= mostMailed) return undefined;
  const link = await insertLink(tx, {
    tenant: user.tenant,
    kind: 'login',
    userId: user.id,
    madeBy: null,
    proof: 'email',
    expiresInSeconds: mailedSeconds,
  });
  const { tenant } = user;
  await recordAudit(tx, {
    system: 'sign-in',
    tenant,
    action: 'login-link.mailed',
    subject: user.id,
    data: { link: link.id },
  });
  return link;
}
