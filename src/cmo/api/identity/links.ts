/**
 * One-time links. The token stands in the fragment of a URL, which browsers send to no server, so it is in no access log,
 * no Referer and no proxy; the page exchanges it by POST. Using one is a single conditional update, so of two who use it at
 * once one comes too late.
 */
import type { FastifyRequest } from 'fastify';
import type { Tx } from '../../../common/database/index.ts';
import { SolyxError } from '../../../common/errors/index.ts';
import { newId } from '../../../common/ids.ts';
import { makeKey, parseKey } from '../../../common/keys.ts';
import type { NewSession } from './session-rows.ts';

export type LinkKind = 'login' | 'invite';

/** Where the dashboard takes tokens. */
const pages: Readonly<Record<LinkKind, string>> = { login: '/login', invite: '/invitation' };

export interface NewLink {
  readonly tenant: string;
  readonly kind: LinkKind;
  readonly userId: string | null;
  readonly madeBy: string | null;
  readonly proof: 'link' | 'email';
  /** > 0. */
  readonly expiresInSeconds: number;
}

export interface MadeLink {
  readonly id: string;
  /** Path and fragment below the server's URL. */
  readonly path: string;
  readonly expiresAt: Date;
}

/** Makes a link. The token is in the answer and nowhere else. */
export async function insertLink(tx: Tx, link: NewLink): Promise<MadeLink> {
  const token = makeKey(link.kind);
  const id = newId('link');
  const { rows } = await tx.query<{ expires_at: Date }>(
    `insert into cmo_links (id, tenant, kind, hash, user_id, made_by, proof, expires_at)
     values ($1, $2, $3, $4, $5, $6, $7, now() + make_interval(secs => $8)) returning expires_at`,
    [id, link.tenant, link.kind, token.hash, link.userId, link.madeBy, link.proof, link.expiresInSeconds],
  );
  return { id, path: `${pages[link.kind]}#${token.text}`, expiresAt: rows[0]!.expires_at };
}

interface LinkRow {
  tenant: string;
  user_id: string | null;
  made_by: string | null;
  proof: 'link' | 'email';
  project: string | null;
  email: string | null;
}

/**
 * Uses a link up and says whose session it begins.
 * @param tx of the system
 * @throws link_invalid when it is none, was used, has expired or was withdrawn, or its user may not sign in
 */
export async function takeLink(tx: Tx, kind: LinkKind, text: string, request: FastifyRequest): Promise<NewSession> {
  const token = parseKey(text);
  if (token?.kind !== kind) throw new SolyxError('link_invalid');
  const { rows } = await tx.query<LinkRow>(
    `with taken as (
       update cmo_links set used_at = now()
       where hash = $1 and kind = $2 and used_at is null and revoked_at is null and expires_at > now()
       returning tenant, user_id, made_by, proof
     )
     select l.*, coalesce(u.project, k.project) as project, u.email
     from taken l
     left join cmo_users u on u.tenant = l.tenant and u.id = l.user_id
     left join cmo_api_keys k on k.tenant = l.tenant and k.id = l.made_by and k.revoked_at is null`,
    [token.hash, kind],
  );
  const row = rows[0];
  if (row?.project == null) throw new SolyxError('link_invalid');
  return {
    tenant: row.tenant,
    project: row.project,
    userId: row.user_id,
    madeBy: row.made_by,
    proof: row.proof === 'email' && row.email !== null ? { kind: 'email', email: row.email } : { kind: 'link' },
    userAgent: request.headers['user-agent'],
  };
}
