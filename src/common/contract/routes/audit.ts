/** The audit log: who did what to whom, in a chain that anybody with the entries can check. */
import { z } from 'zod';
import { id, instant, list, page } from './parts.ts';
import { defineRoute } from './route.ts';

const digest = z.string().regex(/^[0-9a-f]{64}$/);

export const auditEntry = z
  .object({
    tenant: id('tenant'),
    sequence: z.int().min(1).describe('1, 2, 3 … without gaps.'),
    at: instant,
    actorKind: z.enum(['key', 'person', 'service', 'system']),
    actor: z.string().describe('Id of the key or user, or the name of a part of the system.'),
    keyId: z.string().nullable().describe('The key or session by which it was done.'),
    action: z.string().describe('Noun and verb, like `key.revoked`.'),
    subject: z.string().describe('Id of what it was done to.'),
    address: z.string().nullable().describe('Address that the request came from.'),
    requestId: z.string().nullable(),
    data: z.record(z.string(), z.unknown()),
    previous: digest.describe('Hash of the entry before; 64 zeros before the first.'),
    hash: digest.describe('SHA-256 of the entry and `previous`; docs/user/audit.md says of which bytes.'),
  })
  .meta({ id: 'AuditEntry' });

const term = z.string().min(1).max(200);

export const auditRoutes = {
  listAudit: defineRoute('listAudit', {
    summary: 'List what was done in the tenant, and by whom; newest first unless told otherwise',
    access: { role: 'admin' },
    query: z.strictObject({
      ...page,
      order: z.enum(['newest', 'oldest']).default('newest'),
      actor: term.optional().describe('Id of a key or user.'),
      action: term.optional().describe('An action, or its beginning: `key.` finds `key.created`.'),
      subject: term.optional().describe('Id of what it was done to.'),
      since: instant.optional(),
      until: instant.optional().describe('Before this instant.'),
    }),
    status: 200,
    answer: 'json',
    response: list(auditEntry),
    errors: ['cursor_invalid'],
  }),
  getAuditHead: defineRoute('getAuditHead', {
    summary:
      'The newest entry of the audit log, signed; kept elsewhere, it proves later that nothing before it was changed',
    access: { role: 'admin' },
    status: 200,
    answer: 'json',
    response: z.object({
      tenant: id('tenant'),
      sequence: z.int().min(0).describe('0: there are no entries.'),
      hash: digest,
      at: instant.describe('When it was signed.'),
      signature: z
        .string()
        .describe('Ed25519 over the lines `solyx-audit-head-1`, tenant, sequence, hash, at; base64.'),
      publicKey: z.string().describe('The key that checks the signature: SPKI, base64.'),
    }),
    errors: ['secrets_key_missing'],
  }),
  listAuditSeals: defineRoute('listAuditSeals', {
    summary: 'Heads that the server signed while the log grew, oldest first',
    access: { role: 'admin' },
    query: z.strictObject(page),
    status: 200,
    answer: 'json',
    response: list(
      z.object({
        tenant: id('tenant'),
        sequence: z.int().min(1),
        hash: digest,
        at: instant,
        signature: z.string(),
        publicKey: z.string(),
      }),
    ),
    errors: ['cursor_invalid'],
  }),
};
