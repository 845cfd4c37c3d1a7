/** Signing in: browser sessions and one-time links. */
import { z } from 'zod';
import { role, whoami } from './access.ts';
import { flag, id, instant, list, page } from './parts.ts';
import { defineRoute } from './route.ts';

/** A secret in a body: bounded, so that nobody makes us hash a megabyte. */
export const secret = z.string().min(1).max(200);

/** E-mail address, in lower case. */
export const email = z
  .string()
  .max(254)
  .transform((text) => text.trim().toLowerCase())
  .pipe(z.email('expected an e-mail address'));

/** Codes of endpoints that anybody may ask. */
export const strangers = ['cross_origin', 'rate_limited', 'database_unavailable', 'database_timeout'] as const;

const session = z
  .object({
    id: id('key'),
    user: z.object({ id: id('user'), name: z.string(), email: z.string().nullable() }).nullable(),
    current: z.boolean().describe('Whether it is the session that asks.'),
    proof: z.enum(['key', 'link', 'email', 'oidc']).describe('How it was proved who this is.'),
    userAgent: z.string().nullable().describe('What the browser called itself.'),
    createdAt: instant,
    lastUsedAt: instant.nullable(),
    expiresAt: instant,
  })
  .meta({ id: 'Session' });

export const identityRoutes = {
  createSession: defineRoute('createSession', {
    summary: 'Sign a browser in by an API key or a one-time login link; the session comes as a cookie',
    access: 'public',
    body: z.union([
      z.strictObject({ key: secret.describe('An API key.') }),
      z.strictObject({ link: secret.describe('The token of a login link; it works once.') }),
    ]),
    status: 201,
    answer: 'json',
    response: whoami,
    errors: ['unauthenticated', 'key_revoked', 'link_invalid', ...strangers],
  }),
  listSessions: defineRoute('listSessions', {
    summary: 'List the browser sessions that live: one’s own, or all of the tenant for admins',
    access: { role: 'viewer' },
    query: z.strictObject({ all: flag.optional().describe('Those of everybody; for admins.'), ...page }),
    status: 200,
    answer: 'json',
    response: list(session),
    errors: ['cursor_invalid', 'forbidden'],
  }),
  endSession: defineRoute('endSession', {
    summary: 'Sign out: end the session that asks',
    access: { role: 'viewer' },
    status: 204,
    answer: 'none',
    response: z.undefined(),
    errors: ['conflict'],
  }),
  revokeSession: defineRoute('revokeSession', {
    summary: 'End a browser session within a second: one’s own, or anybody’s of the tenant for admins',
    access: { role: 'viewer' },
    params: z.strictObject({ id: id('key') }),
    status: 204,
    answer: 'none',
    response: z.undefined(),
    errors: [],
  }),
  createLoginLink: defineRoute('createLoginLink', {
    summary: 'Make a link that signs a browser in once as whoever asks',
    access: { role: 'viewer' },
    body: z.strictObject({
      expiresInSeconds: z.int().min(60).max(600).default(300).describe('60–600; default 300.'),
    }),
    status: 201,
    answer: 'json',
    response: z.object({
      path: z
        .string()
        .describe('Path and fragment below the server’s URL. A fragment is sent to no server and is in no log.'),
      url: z.url().nullable().describe('The whole of it, where `server.publicUrl` says how browsers get here.'),
      expiresAt: instant,
    }),
    errors: [],
  }),
  mailLoginLink: defineRoute('mailLoginLink', {
    summary: 'Have a login link sent to one’s own e-mail address; the answer is the same whether anybody has it',
    access: 'public',
    body: z.strictObject({ email }),
    status: 204,
    answer: 'none',
    response: z.undefined(),
    errors: ['mail_unavailable', ...strangers],
  }),
  getSignInOptions: defineRoute('getSignInOptions', {
    summary: 'Which ways to sign in this server offers beside API keys and links',
    access: 'public',
    status: 200,
    answer: 'json',
    response: z.object({
      mail: z.boolean().describe('Login links by e-mail.'),
      oidc: z
        .object({ name: z.string(), logoutUrl: z.string().nullable().describe('Ends the session there, too.') })
        .nullable()
        .describe('OpenID Connect; what its button says.'),
    }),
    errors: [],
  }),
  beginOidc: defineRoute('beginOidc', {
    summary: 'Begin to sign in by the OpenID provider: where the browser has to go',
    access: 'public',
    body: z.strictObject({ invitation: secret.optional().describe('Token of an invitation that is accepted by it.') }),
    status: 201,
    answer: 'json',
    response: z.object({ url: z.url() }),
    errors: ['conflict', 'link_invalid', 'oidc_unavailable', ...strangers],
  }),
  finishOidc: defineRoute('finishOidc', {
    summary: 'Sign in with what the OpenID provider sent the browser back with',
    access: 'public',
    body: z.strictObject({
      code: z.string().max(4_096).optional(),
      state: z.string().max(512).optional(),
      iss: z.string().max(512).optional(),
      session_state: z.string().max(512).optional(),
      error: z.string().max(256).optional(),
      error_description: z.string().max(2_048).optional(),
    }),
    status: 201,
    answer: 'json',
    response: whoami,
    errors: [
      'conflict',
      'last_admin',
      'link_invalid',
      'oidc_unavailable',
      'sign_in_expired',
      'sign_in_invalid',
      'sign_in_refused',
      ...strangers,
    ],
  }),
  listOwnTenants: defineRoute('listOwnTenants', {
    summary: 'List the tenants that the same person is a user of, as far as this sign-in proved',
    access: { role: 'viewer' },
    status: 200,
    answer: 'json',
    response: z.object({
      items: z.array(
        z.object({ tenant: z.object({ id: id('tenant'), name: z.string() }), role, current: z.boolean() }),
      ),
    }),
    errors: [],
  }),
  switchTenant: defineRoute('switchTenant', {
    summary: 'Go on in another tenant of one’s own; the session is replaced',
    access: { role: 'viewer' },
    body: z.strictObject({ tenantId: id('tenant') }),
    status: 201,
    answer: 'json',
    response: whoami,
    errors: ['conflict', 'not_found'],
  }),
};
