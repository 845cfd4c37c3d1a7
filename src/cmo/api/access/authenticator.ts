/**
 * From an API key or a browser session to a principal, with a memory of at most a second.
 *
 * Asking the database at every request would cost more than most requests do. A key that is revoked must be refused
 * within a second, so nothing is remembered longer; unknown keys are remembered too, so that guessing costs us no
 * statements. Requests that ask for the same key at once share one look-up.
 *
 * A session is a key with a shorter life. Whatever it hangs on is looked at with it: the user (disabled, another role), and the
 * API key that it was made from, so that one revocation ends all that came of it.
 */
import type { Clock } from '../../../common/clock.ts';
import { type Role, roles } from '../../../common/contract/routes/index.ts';
import { type Database, type Queryable, withSystem } from '../../../common/database/index.ts';
import { SolyxError } from '../../../common/errors/index.ts';
import type { Authenticate, Principal } from '../../../common/http/index.ts';
import { bearerKey, type ParsedKey } from '../../../common/keys.ts';

/** How long an answer is remembered, milliseconds. */
const rememberedMs = 900;
/** Most keys remembered; the oldest are forgotten. */
const mostRemembered = 10_000;
/** `last_used_at` is written at most so often, seconds. */
const usedPrecisionSeconds = 60;

type Finding =
  | { readonly kind: 'found'; readonly principal: Principal }
  | { readonly kind: 'unknown' }
  | { readonly kind: 'revoked' };

interface Remembered {
  readonly until: number;
  readonly finding: Promise<Finding>;
}

/** Makes the function that every request is authenticated by. */
export function makeAuthenticator(db: Database, clock: Clock): Authenticate {
  const remembered = new Map<string, Remembered>();

  function find(key: ParsedKey): Promise<Finding> {
    const name = key.hash.toString('base64');
    const known = remembered.get(name);
    const now = clock.monotonicMs();
    if (known && known.until > now) return known.finding;
    const finding = findPrincipal(db, key);
    remembered.delete(name);
    remembered.set(name, { until: now + rememberedMs, finding });
    finding.catch(() => remembered.delete(name));
    if (remembered.size > mostRemembered) remembered.delete(remembered.keys().next().value!);
    return finding;
  }

  return async (authorization, session) => {
    const key = authorization === undefined ? session : bearerKey(authorization);
    if (key === undefined) throw new SolyxError('unauthenticated');
    // A cookie's secret is no bearer key: whoever has it must not get round the checks that cookies have.
    if (key.kind !== (authorization === undefined ? 'session' : 'api')) {
      throw new SolyxError('unauthenticated', `A ${key.kind} token is no API key.`);
    }
    const finding = await find(key);
    switch (finding.kind) {
      case 'found':
        return finding.principal;
      case 'revoked':
        throw new SolyxError(key.kind === 'session' ? 'session_ended' : 'key_revoked');
      case 'unknown':
        throw new SolyxError(key.kind === 'session' ? 'session_ended' : 'unauthenticated');
    }
  };
}

interface KeyRow {
  id: string;
  kind: 'api' | 'session';
  role: Role;
  user_role: Role | null;
  maker_role: Role | null;
  tenant: string;
  tenant_name: string;
  operator: boolean;
  project: string;
  project_name: string;
  user_id: string | null;
  user_name: string | null;
  user_email: string | null;
  user_kind: 'person' | 'service' | null;
  expires_at: Date | null;
  dead: boolean;
  stale: boolean;
}

// Idle time counts from the last use, which is written once a minute: a session may live a minute longer than it says.
const selectKeys = `
  select k.id, k.kind, k.role, u.role as user_role, m.role as maker_role, k.tenant, t.name as tenant_name, t.operator,
         k.project, p.name as project_name, u.id as user_id, u.name as user_name, u.email as user_email, u.kind as user_kind,
         k.expires_at,
         k.revoked_at is not null or coalesce(k.expires_at <= now(), false)
           or coalesce(coalesce(k.last_used_at, k.created_at) < now() - make_interval(secs => k.idle_seconds), false)
           or (k.user_id is not null and (u.disabled_at is not null or u.accepted_at is null))
           or (k.made_by is not null and (m.id is null or m.revoked_at is not null or coalesce(m.expires_at <= now(), false)))
           as dead,
         coalesce(k.last_used_at < now() - make_interval(secs => ${usedPrecisionSeconds}), true) as stale
  from cmo_api_keys k
  join cmo_tenants t on t.id = k.tenant
  join cmo_projects p on p.tenant = k.tenant and p.id = k.project
  left join cmo_users u on u.tenant = k.tenant and u.id = k.user_id
  left join cmo_api_keys m on m.tenant = k.tenant and m.id = k.made_by`;

/** Asks the database whose key this is. */
export async function findPrincipal(db: Database, key: ParsedKey): Promise<Finding> {
  return withSystem(
    db,
    async (tx): Promise<Finding> => {
      const { rows } = await tx.query<KeyRow>(`${selectKeys} where k.hash = $1 and k.kind = $2`, [key.hash, key.kind]);
      const row = rows[0];
      if (!row) return { kind: 'unknown' };
      if (row.dead) return { kind: 'revoked' };
      if (row.stale) await tx.query('update cmo_api_keys set last_used_at = now() where id = $1', [row.id]);
      return { kind: 'found', principal: toPrincipal(row) };
    },
    { idempotent: true },
  );
}

/**
 * Who keys and sessions belong to now, by id; those that are gone are missing. For what goes on after it was admitted, such as
 * sockets, and for tickets.
 * @param system the system's pool or transaction
 */
export async function readPrincipals(system: Queryable, keyIds: readonly string[]): Promise<Map<string, Principal>> {
  const { rows } = await system.query<KeyRow>(
    `${selectKeys} where k.id = any($1::text[]) and k.kind in ('api', 'session')`,
    [keyIds],
  );
  return new Map(rows.filter((row) => !row.dead).map((row) => [row.id, toPrincipal(row)]));
}

function toPrincipal(row: KeyRow): Principal {
  return {
    keyId: row.id,
    role: weakest([row.role, row.user_role, row.maker_role]),
    operator: row.operator,
    tenant: { id: row.tenant, name: row.tenant_name },
    project: { id: row.project, name: row.project_name },
    user:
      row.user_id === null
        ? null
        : { id: row.user_id, name: row.user_name!, email: row.user_email, kind: row.user_kind! },
    ...(row.kind === 'session' && { session: { expiresAt: row.expires_at!.toISOString() } }),
  };
}

/** Nobody may do more than each of what lets him in: the key, the user whose key it is, the key that a session came from. */
function weakest(all: readonly (Role | null)[]): Role {
  return roles.find((role) => all.includes(role))!;
}
