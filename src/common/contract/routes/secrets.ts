/** The secret store. A value goes in and never comes out: no answer of the API holds one. */
import { z } from 'zod';
import { id, instant, list, name, nothing, page } from './parts.ts';
import { defineRoute } from './route.ts';

const secret = z
  .object({
    id: id('secret'),
    name: z.string(),
    project: z
      .object({ id: id('project'), name: z.string() })
      .nullable()
      .describe('null: a secret of the tenant, for the jobs of every project.'),
    version: z.int().min(1),
    createdAt: instant,
    updatedAt: instant,
    updatedBy: z.string().describe('Id of the key that set this version.'),
    lastUsedAt: instant.nullable().describe('When a job was given it last, to a minute.'),
    lastUsedBy: z.string().nullable(),
  })
  .meta({ id: 'Secret' });

const secretParams = z.strictObject({ name });
const scope = { project: name.optional().describe('Name of the project. Without it the secret of the tenant.') };

/** Longest text of a value: 64 KiB, as base64. */
const mostText = 87_384;

export const secretRoutes = {
  setSecret: defineRoute('setSecret', {
    summary: 'Set a secret: make it, or replace its value; the value that was is gone',
    access: { role: 'member' },
    params: secretParams,
    body: z.strictObject({
      value: z.string().min(1).max(mostText).describe('The value, at most 65,536 bytes. It is never shown again.'),
      encoding: z.enum(['utf8', 'base64']).default('utf8').describe('`base64` for values that are no text.'),
      ...scope,
    }),
    status: 200,
    answer: 'json',
    response: secret,
    errors: ['secrets_key_missing'],
  }),
  listSecrets: defineRoute('listSecrets', {
    summary: 'List the secrets of the tenant by name, version and last use; never their values',
    access: { role: 'member' },
    query: z.strictObject({ ...page, ...scope }),
    status: 200,
    answer: 'json',
    response: list(secret),
    errors: ['not_found', 'cursor_invalid'],
  }),
  removeSecret: defineRoute('removeSecret', {
    summary: 'Delete a secret; jobs that ask for it do not start any more',
    access: { role: 'member' },
    params: secretParams,
    query: z.strictObject(scope),
    status: 204,
    answer: 'none',
    response: nothing,
    errors: [],
  }),
  rotateSecretsKey: defineRoute('rotateSecretsKey', {
    summary: 'Wrap every data key of the secret store by a new key-encryption key, while everything goes on',
    access: { role: 'admin', operator: true },
    body: z.strictObject({
      makeKey: z
        .boolean()
        .default(true)
        .describe('Make the new key and put it into the file. `false`: the first key of the file is the new one.'),
    }),
    status: 200,
    answer: 'json',
    response: z.object({
      keyId: z.string().describe('Which key wraps now: the beginning of its fingerprint.'),
      rewrapped: z.int().min(0).describe('Data keys that were wrapped anew.'),
      retired: z.int().min(0).describe('Old keys that left the file.'),
    }),
    errors: ['secrets_key_missing', 'conflict'],
  }),
};
