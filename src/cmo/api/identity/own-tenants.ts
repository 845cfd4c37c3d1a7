/**
 * The tenants of one person.
 *
 * Users of different tenants are the same person only as far as this sign-in proved it: by reading the mail of an address, or
 * by the subject of an OpenID provider. An address alone is no proof: any tenant's admin may invite it and keep the link.
 */
import type { Role } from '../../../common/contract/routes/index.ts';
import { type Tx, withSystem } from '../../../common/database/index.ts';
import { SolyxError } from '../../../common/errors/index.ts';
import type { Handlers } from '../../../common/http/index.ts';
import type { ApiDeps } from '../deps.ts';
import { type Proof, proofOf } from './session-rows.ts';
import { signIn } from './sessions.ts';

interface OwnUser {
  id: string;
  tenant: string;
  tenant_name: string;
  role: Role;
  project: string;
}

export function ownTenantHandlers(deps: ApiDeps): Handlers<'listOwnTenants' | 'switchTenant'> {
  return {
    listOwnTenants: ({ principal }) =>
      withSystem(
        deps.db,
        async (tx) => {
          const others = (await usersOf(tx, await proofOf(tx, principal))).filter(
            ({ tenant }) => tenant !== principal.tenant.id,
          );
          const items = [
            { tenant: principal.tenant, role: principal.role, current: true },
            ...others.map((user) => ({
              tenant: { id: user.tenant, name: user.tenant_name },
              role: user.role,
              current: false,
            })),
          ];
          return { items: items.sort((a, b) => (a.tenant.name < b.tenant.name ? -1 : 1)) };
        },
        { readOnly: true },
      ),

    switchTenant: ({ principal, body, request, reply }) => {
      if (!principal.session)
        throw new SolyxError('conflict', 'An API key belongs to one tenant; use a key of the other.');
      const { expiresAt } = principal.session;
      return signIn(deps, request, reply, async (tx) => {
        const proof = await proofOf(tx, principal);
        const user = (await usersOf(tx, proof)).find(({ tenant }) => tenant === body.tenantId);
        if (!proof || !user) throw new SolyxError('not_found', `No tenant ${body.tenantId} of yours.`);
        return {
          tenant: user.tenant,
          project: user.project,
          userId: user.id,
          madeBy: null,
          proof,
          userAgent: request.headers['user-agent'],
          // Going back and forth must not make a session last for ever.
          endsAt: expiresAt,
        };
      });
    },
  };
}

/** Users that a proof opens, in all tenants. */
export async function usersOf(tx: Tx, proof: Proof | undefined): Promise<OwnUser[]> {
  if (proof?.kind !== 'email' && proof?.kind !== 'oidc') return [];
  const [from, values] =
    proof.kind === 'email'
      ? ['cmo_users u where u.email = $1', [proof.email]]
      : [
          'cmo_identities i join cmo_users u on u.tenant = i.tenant and u.id = i.user_id where i.issuer = $1 and i.subject = $2',
          [proof.issuer, proof.subject],
        ];
  const { rows } = await tx.query<OwnUser>(
    `select u.id, u.tenant, (select name from cmo_tenants t where t.id = u.tenant) as tenant_name, u.role, u.project
     from ${from} and u.accepted_at is not null and u.disabled_at is null order by u.tenant`,
    values,
  );
  return rows;
}
