/** What signing in by an OpenID provider is set to. */
import { readFileSync } from 'node:fs';
import type { Config } from '../../../../common/config/index.ts';
import { type Role, roles } from '../../../../common/contract/routes/index.ts';
import { SolyxError } from '../../../../common/errors/index.ts';

export interface OidcSettings {
  /** Issuer, exactly as the provider calls itself. */
  readonly issuer: string;
  readonly clientId: string;
  /** Asked at every use, so that a secret can be changed; undefined: a public client, kept by PKCE alone. */
  readonly clientSecret: () => string | undefined;
  /** What the button says. */
  readonly name: string;
  readonly scopes: readonly string[];
  /** E-mail domains whose people need no invitation, lower case. */
  readonly allowedDomains: readonly string[];
  /** Name of the tenant that such people come to; undefined: the operator's. */
  readonly tenant: string | undefined;
  /** Role of who has no other by `roleClaim`; undefined: they are refused. */
  readonly defaultRole: Role | undefined;
  /** Claim that roles are read from; undefined: roles are given here. */
  readonly roleClaim: string | undefined;
  /** Values of that claim that give a role; the strongest that fits counts. */
  readonly roleValues: Readonly<Record<Role, readonly string[]>>;
  /** Where the provider sends people back to. */
  readonly redirectUri: string;
}

/**
 * The settings as the configuration has them; undefined without an issuer.
 * @throws config_invalid with what is missing or wrong
 */
export function oidcSettings({ oidc, server }: Config): OidcSettings | undefined {
  if (oidc.issuer === undefined) return undefined;
  const { publicUrl } = server;
  if (publicUrl === undefined)
    throw wrong('server.publicUrl', 'needed with oidc.issuer: the provider sends people back there');
  if (oidc.clientId === undefined) throw wrong('oidc.clientId', 'needed with oidc.issuer');
  if (!/^https:/.test(oidc.issuer) && !isLoopback(oidc.issuer)) throw wrong('oidc.issuer', 'expected https://…');
  const { clientSecret, clientSecretFile } = oidc;
  return {
    issuer: oidc.issuer,
    clientId: oidc.clientId,
    clientSecret: () => (clientSecretFile === undefined ? clientSecret : readSecret(clientSecretFile)),
    name: oidc.name,
    scopes: [...new Set(['openid', ...oidc.scopes])],
    allowedDomains: oidc.allowedDomains.map((domain) => domain.toLowerCase()),
    tenant: oidc.tenant,
    defaultRole: oidc.defaultRole === 'none' ? undefined : oidc.defaultRole,
    roleClaim: oidc.roleClaim,
    roleValues: { admin: oidc.adminValues, member: oidc.memberValues, viewer: oidc.viewerValues },
    redirectUri: `${publicUrl.replace(/\/+$/, '')}/login/oidc`,
  };
}

/** The strongest role that the claim's values give, else the default; undefined: none. */
export function roleOf(settings: OidcSettings, claims: Readonly<Record<string, unknown>>): Role | undefined {
  const claim = settings.roleClaim === undefined ? undefined : claims[settings.roleClaim];
  const values = (Array.isArray(claim) ? claim : [claim]).filter((value) => typeof value === 'string');
  const given = roles.filter((role) => settings.roleValues[role].some((value) => values.includes(value)));
  return given.at(-1) ?? settings.defaultRole;
}

/** Whether plain HTTP is to this machine, where nobody listens in. */
export const isLoopback = (url: string): boolean =>
  URL.canParse(url) && /^(localhost|127(\.\d+){3}|\[::1\])$/.test(new URL(url).hostname);

function readSecret(file: string): string {
  try {
    return readFileSync(file, 'utf8').trim();
  } catch (error) {
    throw wrong('oidc.clientSecretFile', `${file} cannot be read`, error);
  }
}

const wrong = (at: string, message: string, cause?: unknown): SolyxError =>
  new SolyxError('config_invalid', { detail: `${at}: ${message}`, issues: [{ at, message }], cause });
