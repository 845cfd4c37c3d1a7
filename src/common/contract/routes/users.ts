/** People and programs of a tenant: users, invitations, service accounts, and everybody's own keys. */
import { z } from 'zod';
import { createdKey, key, role, whoami } from './access.ts';
import { email, secret, strangers } from './identity.ts';
import { id, instant, list, name, page } from './parts.ts';
import { defineRoute } from './route.ts';

/** A person's name, as shown to others. */
const personName = z
  .string()
  .trim()
  .min(1)
  .max(100)
  .regex(/^[^\p{Cc}\p{Cf}\p{Zl}\p{Zp}]*$/u, 'control and formatting characters cannot be shown');

const project = z.object({ id: id('project'), name: z.string() });

const user = z
  .object({
    id: id('user'),
    kind: z.enum(['person', 'service']),
    name: z.string(),
    email: z.string().nullable().describe('null: a service account.'),
    role,
    state: z.enum(['invited', 'active', 'disabled']),
    project: project.describe('Project of what they submit unless they say otherwise.'),
    invitationExpiresAt: instant.nullable().describe('While an invitation can be accepted.'),
    lastSeenAt: instant.nullable().describe('Last request with a key or session of theirs, to the minute.'),
    createdAt: instant,
    revision: z.string(),
  })
  .meta({ id: 'User' });

const serviceAccount = user
  .extend({ keys: z.array(key).describe('Keys that work now; two while one replaces the other.') })
  .meta({ id: 'ServiceAccount' });

/** How an invitation reaches the person. */
const invitation = z.object({
  user,
  sent: z.boolean().describe('Whether an e-mail with the link was sent.'),
  link: z
    .object({ path: z.string(), expiresAt: instant })
    .nullable()
    .describe('Path and fragment below the server’s URL, to be handed over; null when the link went by e-mail alone.'),
});

const deliver = z
  .enum(['mail', 'link'])
  .optional()
  .describe('By e-mail, or as a link in the answer. Default: e-mail where the server can send it.');

const userParams = z.strictObject({ id: id('user') });
const keySeconds = z.int().min(60).max(31_536_000).optional();

export const userRoutes = {
  listUsers: defineRoute('listUsers', {
    summary: 'List the people of the tenant',
    access: { role: 'admin' },
    query: z.strictObject(page),
    status: 200,
    answer: 'json',
    response: list(user),
    errors: ['cursor_invalid'],
  }),
  inviteUser: defineRoute('inviteUser', {
    summary: 'Invite a person by a one-time link that is valid for seven days',
    access: { role: 'admin' },
    body: z.strictObject({
      email,
      name: personName.optional().describe('Default: what stands before the @.'),
      role: role.default('member'),
      project: name.optional().describe('Name of a project. Default: that of who invites.'),
      deliver,
    }),
    status: 201,
    answer: 'json',
    response: invitation,
    errors: ['already_exists', 'mail_unavailable'],
  }),
  renewInvitation: defineRoute('renewInvitation', {
    summary: 'Invite again: the earlier link stops working',
    access: { role: 'admin' },
    params: userParams,
    body: z.strictObject({ deliver }),
    status: 200,
    answer: 'json',
    response: invitation,
    errors: ['conflict', 'mail_unavailable'],
  }),
  updateUser: defineRoute('updateUser', {
    summary: 'Change the role or name of a user or service account; it counts within a second',
    access: { role: 'admin' },
    params: userParams,
    body: z.strictObject({ role: role.optional(), name: personName.optional() }),
    status: 200,
    answer: 'json',
    response: user,
    errors: ['last_admin', 'already_exists'],
  }),
  disableUser: defineRoute('disableUser', {
    summary: 'Shut a user or service account out: sessions, keys and invitations end within a second, for good',
    access: { role: 'admin' },
    params: userParams,
    status: 200,
    answer: 'json',
    response: user,
    errors: ['last_admin'],
  }),
  enableUser: defineRoute('enableUser', {
    summary: 'Let a user or service account in again; new keys, sessions and invitations have to be made',
    access: { role: 'admin' },
    params: userParams,
    status: 200,
    answer: 'json',
    response: user,
    errors: [],
  }),
  getInvitation: defineRoute('getInvitation', {
    summary: 'Say what an invitation is to, without using it up',
    access: 'public',
    body: z.strictObject({ link: secret }),
    status: 200,
    answer: 'json',
    response: z.object({
      tenant: z.string(),
      email: z.string(),
      name: z.string(),
      role,
      expiresAt: instant,
    }),
    errors: ['link_invalid', ...strangers],
  }),
  acceptInvitation: defineRoute('acceptInvitation', {
    summary: 'Accept an invitation and sign in; the link works once',
    access: 'public',
    body: z.strictObject({ link: secret, name: personName.optional() }),
    status: 201,
    answer: 'json',
    response: whoami,
    errors: ['link_invalid', ...strangers],
  }),
  listServiceAccounts: defineRoute('listServiceAccounts', {
    summary: 'List the service accounts of the tenant with their keys; never their secrets',
    access: { role: 'admin' },
    query: z.strictObject(page),
    status: 200,
    answer: 'json',
    response: list(serviceAccount),
    errors: ['cursor_invalid'],
  }),
  createServiceAccount: defineRoute('createServiceAccount', {
    summary: 'Create a service account with a key, whose secret is shown once',
    access: { role: 'admin' },
    body: z.strictObject({
      name,
      role: role.default('member').describe('What it and all its keys may do.'),
      project: name.optional().describe('Name of a project. Default: that of who asks.'),
      expiresInSeconds: keySeconds.describe('When its key expires; default never.'),
    }),
    status: 201,
    answer: 'json',
    response: z.object({ account: serviceAccount, key: createdKey }),
    errors: ['already_exists'],
  }),
  rotateServiceAccount: defineRoute('rotateServiceAccount', {
    summary: 'Give a service account a new key; the ones before go on for a while, so that nothing stops meanwhile',
    access: { role: 'admin' },
    params: userParams,
    body: z.strictObject({
      overlapSeconds: z
        .int()
        .min(0)
        .max(2_592_000)
        .default(86_400)
        .describe('How long the keys before still work; 0 revokes them at once. Default a day.'),
      expiresInSeconds: keySeconds.describe('When the new key expires; default never.'),
    }),
    status: 201,
    answer: 'json',
    response: z.object({ account: serviceAccount, key: createdKey }),
    errors: ['conflict'],
  }),
  listOwnKeys: defineRoute('listOwnKeys', {
    summary: 'List the API keys of the person who asks',
    access: { role: 'viewer' },
    query: z.strictObject(page),
    status: 200,
    answer: 'json',
    response: list(key),
    errors: ['cursor_invalid'],
  }),
  createOwnKey: defineRoute('createOwnKey', {
    summary: 'Create an API key for oneself, such as for the command line; the secret is shown once',
    access: { role: 'viewer' },
    body: z.strictObject({
      name,
      role: role.optional().describe('At most one’s own, which is the default.'),
      expiresInSeconds: keySeconds.describe('Default never.'),
    }),
    status: 201,
    answer: 'json',
    response: createdKey,
    errors: ['conflict', 'forbidden'],
  }),
  revokeOwnKey: defineRoute('revokeOwnKey', {
    summary: 'Revoke an API key of one’s own; it is refused everywhere within a second',
    access: { role: 'viewer' },
    params: z.strictObject({ id: id('key') }),
    status: 200,
    answer: 'json',
    response: key,
    errors: [],
  }),
};
