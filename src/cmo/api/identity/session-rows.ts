/**
 * Rows of browser sessions, which are keys of kind `session` (`cmo_api_keys`). The secret goes into the cookie and nowhere else.
 *
 * A session's own role is `admin`: what it may do is decided at each request by the user or key that it hangs on, so that a
 * change of role reaches sessions that exist.
 */
import { recordAudit } from '../../../common/audit/index.ts';
import type { Tx } from '../../../common/database/index.ts';
import { appendEvents } from '../../../common/events/index.ts';
import type { Principal } from '../../../common/http/index.ts';
import { newId } from '../../../common/ids.ts';
import { makeKey, type ParsedKey } from '../../../common/keys.ts';
import type { IdentitySettings } from './settings.ts';

/** How it was proved who this is; other tenants of a person open by the same proof of the same address or subject only. */
export type Proof =
  | { readonly kind: 'key' | 'link' }
  | { readonly kind: 'email'; readonly email: string }
  | { readonly kind: 'oidc'; readonly issuer: string; readonly subject: string };

export interface NewSession {
  readonly tenant: string;
  readonly project: string;
  readonly userId: string | null;
  /** The API key that it hangs on. */
  readonly madeBy: string | null;
  readonly proof: Proof;
  readonly userAgent: string | undefined;
  /** ISO 8601; when it ends at the latest. Default: as the settings say. */
  readonly endsAt?: string;
}

export interface MadeSession {
  readonly id: string;
  readonly key: ParsedKey & { readonly text: string };
  readonly expiresAt: Date;
}

/** Begins a session. Its secret is always new: what a browser brought along before signing in is never taken over. */
export async function insertSession(tx: Tx, session: NewSession, settings: IdentitySettings): Promise<MadeSession> {
  const key = makeKey('session');
  const id = newId('key');
  const { proof } = session;
  const { rows } = await tx.query<{ expires_at: Date }>(
    `insert into cmo_api_keys (id, tenant, project, name, kind, role, hash, user_id, made_by, expires_at, idle_seconds, user_agent,
                               proof, proof_issuer, proof_subject, last_used_at)
     values ($1, $2, $3, 'browser', 'session', 'admin', $4, $5, $6, least(now() + make_interval(secs => $7), $13::timestamptz), $8, $9, $10, $11, $12, now())
     returning expires_at`,
    [
      id,
      session.tenant,
      session.project,
      key.hash,
      session.userId,
      session.madeBy,
      settings.sessions.lastSeconds,
      settings.sessions.idleSeconds,
      cleanAgent(session.userAgent),
      proof.kind,
      proof.kind === 'oidc' ? proof.issuer : null,
      proof.kind === 'oidc' ? proof.subject : proof.kind === 'email' ? proof.email : null,
      session.endsAt ?? null,
    ],
  );
  await appendEvents(tx, [
    {
      tenant: session.tenant,
      kind: 'session.started',
      subject: id,
      revision: 1n,
      data: { userId: session.userId, who: session.userId ?? session.madeBy },
    },
  ]);
  return { id, key, expiresAt: rows[0]!.expires_at };
}

/** Writes into the audit log that somebody signed in; last in the transaction. */
export async function auditSignIn(
  tx: Tx,
  session: NewSession,
  made: MadeSession,
  request: { readonly ip: string; readonly id: string },
): Promise<void> {
  const data = { userId: session.userId, madeBy: session.madeBy, proof: session.proof.kind };
  await recordAudit(tx, {
    system: 'sign-in',
    tenant: session.tenant,
    action: 'session.started',
    subject: made.id,
    data,
    request,
  });
}

/**
 * Ends sessions of a tenant that live.
 * @param where SQL on `cmo_api_keys`, with $2 for `value`
 * @returns their ids
 */
export async function endSessions(
  tx: Tx,
  tenant: string,
  where: string,
  value: string,
  why: string,
): Promise<string[]> {
  const { rows } = await tx.query<{ id: string }>(
    `update cmo_api_keys set revoked_at = now()
     where tenant = $1 and kind = 'session' and revoked_at is null and ${where} returning id`,
    [tenant, value],
  );
  await appendEvents(
    tx,
    rows.map(({ id }) => ({ tenant, kind: 'session.ended', subject: id, revision: 2n, data: { why } })),
  );
  return rows.map(({ id }) => id);
}

/** The API key that what a principal makes hangs on: itself, or the one that its session came from. */
export async function rootKeyOf(tx: Tx, principal: Principal): Promise<string | null> {
  if (!principal.session) return principal.keyId;
  const { rows } = await tx.query<{ made_by: string | null }>(
    'select made_by from cmo_api_keys where tenant = $1 and id = $2',
    [principal.tenant.id, principal.keyId],
  );
  return rows[0]?.made_by ?? null;
}

/** How the session that asks was proved; undefined for API keys. */
export async function proofOf(tx: Tx, principal: Principal): Promise<Proof | undefined> {
  const { rows } = await tx.query<{
    proof: Proof['kind'] | null;
    proof_issuer: string | null;
    proof_subject: string | null;
  }>('select proof, proof_issuer, proof_subject from cmo_api_keys where tenant = $1 and id = $2', [
    principal.tenant.id,
    principal.keyId,
  ]);
  const { proof, proof_issuer: issuer, proof_subject: subject } = rows[0] ?? {};
  if (proof === 'email' && subject) return { kind: 'email', email: subject };
  if (proof === 'oidc' && issuer && subject) return { kind: 'oidc', issuer, subject };
  return proof === 'key' || proof === 'link' ? { kind: proof } : undefined;
}

const cleanAgent = (text: string | undefined): string | null =>
  text?.replace(/[^\x20-\x7e]/g, '').slice(0, 300) || null;
