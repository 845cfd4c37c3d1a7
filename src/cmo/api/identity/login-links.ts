/** Links that sign a browser in: made by who is signed in already, such as the command line (`solyx open`). */
import { recordAudit } from '../../../common/audit/index.ts';
import { withTenant } from '../../../common/database/index.ts';
import type { Handlers } from '../../../common/http/index.ts';
import type { ApiDeps } from '../deps.ts';
import { iso } from '../wire.ts';
import { insertLink } from './links.ts';
import { rootKeyOf } from './session-rows.ts';

export function loginLinkHandlers({ db }: ApiDeps): Handlers<'createLoginLink'> {
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
        return { path: link.path, expiresAt: iso(link.expiresAt) };
      }),
  };
}
