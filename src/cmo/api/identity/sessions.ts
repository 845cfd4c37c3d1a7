/** Browser sessions: begun by an API key or a one-time link, listed, ended. */
import type { FastifyReply, FastifyRequest } from 'fastify';
import type { z } from 'zod';
import { recordAudit } from '../../../common/audit/index.ts';
import type { Routes } from '../../../common/contract/routes/index.ts';
import { type Tx, withSystem, withTenant } from '../../../common/database/index.ts';
import { SolyxError } from '../../../common/errors/index.ts';
import {
  clearSessionCookie,
  type Handlers,
  type Principal,
  roleAtLeast,
  sessionKey,
  setSessionCookie,
} from '../../../common/http/index.ts';
import { findPrincipal } from '../access/authenticator.ts';
import { toWhoami } from '../access/whoami.ts';
import type { ApiDeps } from '../deps.ts';
import { cursorId, makePage } from '../paging.ts';
import { iso } from '../wire.ts';
import { takeLink } from './links.ts';
import { auditSignIn, endSessions, insertSession, type NewSession, rootKeyOf } from './session-rows.ts';
import { asStranger } from './stranger.ts';

type WireWhoami = z.output<Routes['whoami']['response']>;
type WireSession = z.output<Routes['listSessions']['response']>['items'][number];

interface SessionRow {
  id: string;
  user_id: string | null;
  user_name: string | null;
  user_email: string | null;
  proof: WireSession['proof'];
  user_agent: string | null;
  created_at: Date;
  last_used_at: Date | null;
  expires_at: Date;
}

export function sessionHandlers(
  deps: ApiDeps,
): Handlers<'createSession' | 'listSessions' | 'endSession' | 'revokeSession'> {
  const { db } = deps;
  return {
    createSession: ({ body, request, reply }) =>
      asStranger(request, async () => {
        if ('link' in body) return signIn(deps, request, reply, (tx) => takeLink(tx, 'login', body.link, request));
        const principal = await request.server.authenticate(`Bearer ${body.key}`);
        return signIn(deps, request, reply, async () => ({
          tenant: principal.tenant.id,
          project: principal.project.id,
          userId: principal.user?.id ?? null,
          madeBy: principal.keyId,
          proof: { kind: 'key' },
          userAgent: request.headers['user-agent'],
        }));
      }),

    listSessions: ({ principal, query }) => {
      if (query.all && principal.role !== 'admin') {
        throw new SolyxError('forbidden', `Role admin is needed to see everybody’s; this key has ${principal.role}.`);
      }
      return withTenant(
        db,
        principal.tenant.id,
        async (tx) => {
          const { rows } = await tx.query<SessionRow>(
            `select k.id, k.user_id, u.name as user_name, u.email as user_email, k.proof, k.user_agent, k.created_at,
                    k.last_used_at, k.expires_at
             from cmo_api_keys k left join cmo_users u on u.tenant = k.tenant and u.id = k.user_id
             where k.tenant = $1 and k.id > $2 and k.kind = 'session' and k.revoked_at is null and k.expires_at > now()
               and coalesce(k.last_used_at, k.created_at) >= now() - make_interval(secs => k.idle_seconds)
               and ($4::text is null or coalesce(k.user_id, k.made_by) = $4)
             order by k.id limit $3`,
            [
              principal.tenant.id,
              cursorId('key', query.cursor) ?? '',
              query.limit + 1,
              query.all ? null : await ownerOf(tx, principal),
            ],
          );
          return makePage(rows, query.limit, (row) => toWireSession(row, principal));
        },
        { readOnly: true },
      );
    },

    endSession: async ({ principal, request, reply }) => {
      if (!principal.session) throw new SolyxError('conflict', 'An API key has no session; revoke the key instead.');
      await withTenant(db, principal.tenant.id, (tx) => end(tx, principal, principal.keyId, request, 'signed out'), {
        idempotent: true,
      });
      clearSessionCookie(request, reply);
      return undefined;
    },

    revokeSession: ({ principal, params, request }) =>
      withTenant(
        db,
        principal.tenant.id,
        async (tx) => {
          const mayAll = roleAtLeast(principal.role, 'admin');
          const { rows } = await tx.query(
            `select from cmo_api_keys
             where tenant = $1 and id = $2 and kind = 'session' and ($3::text is null or coalesce(user_id, made_by) = $3)`,
            [principal.tenant.id, params.id, mayAll ? null : await ownerOf(tx, principal)],
          );
          if (rows.length === 0) throw new SolyxError('not_found', `No session ${params.id}.`);
          await end(tx, principal, params.id, request, 'ended by hand');
          return undefined;
        },
        { idempotent: true },
      ),
  };
}

/**
 * Signs a browser in: makes the session, ends the one that the browser had, hands the cookie over.
 * @param whom finds whose session it is to be, in the same transaction
 */
export async function signIn(
  deps: ApiDeps,
  request: FastifyRequest,
  reply: FastifyReply,
  whom: (tx: Tx) => Promise<NewSession>,
): Promise<WireWhoami> {
  // As the system: who is not signed in has no tenant yet.
  const made = await withSystem(deps.db, async (tx) => {
    const session = await whom(tx);
    const before = sessionKey(request);
    if (before) {
      const { rows } = await tx.query<{ id: string; tenant: string }>(
        `select id, tenant from cmo_api_keys where hash = $1 and kind = 'session' and revoked_at is null`,
        [before.hash],
      );
      for (const { id, tenant } of rows) await endSessions(tx, tenant, 'id = $2', id, 'signed in again');
    }
    const inserted = await insertSession(tx, session, deps.identity);
    await auditSignIn(tx, session, inserted, request);
    return inserted;
  });
  const found = await findPrincipal(deps.db, made.key);
  if (found.kind !== 'found') throw new SolyxError('session_ended');
  setSessionCookie(request, reply, made.key.text, made.expiresAt);
  return toWhoami(found.principal);
}

async function end(tx: Tx, principal: Principal, id: string, request: FastifyRequest, why: string): Promise<void> {
  const ended = await endSessions(tx, principal.tenant.id, 'id = $2', id, why);
  if (ended.length > 0)
    await recordAudit(tx, { principal, action: 'session.ended', subject: id, data: { why }, request });
}

/** Whose sessions are "mine": the user's, or those that hang on the same key that is nobody's. */
async function ownerOf(tx: Tx, principal: Principal): Promise<string | null> {
  return principal.user?.id ?? (await rootKeyOf(tx, principal));
}

function toWireSession(row: SessionRow, principal: Principal): WireSession {
  return {
    id: row.id,
    user: row.user_id === null ? null : { id: row.user_id, name: row.user_name!, email: row.user_email },
    current: row.id === principal.keyId,
    proof: row.proof,
    userAgent: row.user_agent,
    createdAt: iso(row.created_at),
    lastUsedAt: iso(row.last_used_at),
    expiresAt: iso(row.expires_at),
  };
}
