/** Who asks. Whatever way of login there is (API key, browser session however begun), handlers see only this. */
import type { Access, Role } from '../contract/routes/index.ts';
import { roles } from '../contract/routes/index.ts';
import { SolyxError } from '../errors/index.ts';

export interface Principal {
  readonly keyId: string;
  readonly role: Role;
  /** Whether the tenant is the operator's. */
  readonly operator: boolean;
  readonly tenant: { readonly id: string; readonly name: string };
  /** Project that new things belong to unless they say otherwise. */
  readonly project: { readonly id: string; readonly name: string };
  /** Person or service account that the key or session belongs to; null for a key that is nobody's. */
  readonly user: PrincipalUser | null;
  /** Only in a browser session: when it ends whatever happens. */
  readonly session?: { readonly expiresAt: string };
}

export interface PrincipalUser {
  readonly id: string;
  readonly name: string;
  /** null for service accounts. */
  readonly email: string | null;
  readonly kind: 'person' | 'service';
}

/** Whether a role may do what `needed` may. */
export const roleAtLeast = (role: Role, needed: Role): boolean => roles.indexOf(role) >= roles.indexOf(needed);

/**
 * Refuses a principal that an endpoint is not for.
 * @throws forbidden
 */
export function requireAccess(principal: Principal, access: Exclude<Access, 'public'>): void {
  if (access.operator && !principal.operator) {
    throw new SolyxError('forbidden', 'Only keys of the operator’s tenant may do this.');
  }
  if (!roleAtLeast(principal.role, access.role)) {
    throw new SolyxError('forbidden', `Role ${access.role} is needed; this key has ${principal.role}.`);
  }
}
