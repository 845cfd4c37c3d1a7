/**
 * From an API key to a principal, with a memory of at most a second.
 *
 * Asking the database at every request would cost more than most requests do. A key that is revoked must be refused
 * within a second, so nothing is remembered longer; unknown keys are remembered too, so that guessing costs us no
 * statements. Requests that ask for the same key at once share one look-up.
 */
import type { Clock } from '../../../common/clock.ts';
import type { Role } from '../../../common/contract/routes/index.ts';
import { type Database, withSystem } from '../../../common/database/index.ts';
import { SolyxError } from '../../../common/errors/index.ts';
import type { Authenticate, Principal } from '../../../common/http/index.ts';
import { bearerKey } from '../../../common/keys.ts';

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

  function find(hash: Buffer): Promise<Finding> {
    const name = hash.toString('base64');
    const known = remembered.get(name);
    const now = clock.monotonicMs();
    if (known && known.until > now) return known.finding;
    const finding = lookUp(db, hash);
    remembered.delete(name);
    remembered.set(name, { until: now + rememberedMs, finding });
    finding.catch(() => remembered.delete(name));
    if (remembered.size > mostRemembered) remembered.delete(remembered.keys().next().value!);
    return finding;
  }

  return async (authorization) => {
    const key = bearerKey(authorization);
    if (key === undefined) throw new SolyxError('unauthenticated');
    if (key.kind !== 'api') throw new SolyxError('unauthenticated', `A ${key.kind} token is no API key.`);
    const finding = await find(key.hash);
    switch (finding.kind) {
      case 'found':
        return finding.principal;
      case 'revoked':
        throw new SolyxError('key_revoked');
      case 'unknown':
        throw new SolyxError('unauthenticated');
    }
  };
}

interface KeyRow {
  id: string;
  role: Role;
  tenant: string;
  tenant_name: string;
  operator: boolean;
  project: string;
  project_name: string;
  dead: boolean;
  stale: boolean;
}

async function lookUp(db: Database, hash: Buffer): Promise<Finding> {
  return withSystem(
    db,
    async (tx): Promise<Finding> => {
      const { rows } = await tx.query<KeyRow>(
        `select k.id, k.role, k.tenant, t.name as tenant_name, t.operator, k.project, p.name as project_name,
                k.revoked_at is not null or coalesce(k.expires_at <= now(), false) as dead,
                coalesce(k.last_used_at < now() - make_interval(secs => $2), true) as stale
         from cmo_api_keys k
         join cmo_tenants t on t.id = k.tenant
         join cmo_projects p on p.tenant = k.tenant and p.id = k.project
         where k.hash = $1 and k.kind = 'api'`,
        [hash, usedPrecisionSeconds],
      );
      const row = rows[0];
      if (!row) return { kind: 'unknown' };
      if (row.dead) return { kind: 'revoked' };
      if (row.stale) await tx.query('update cmo_api_keys set last_used_at = now() where id = $1', [row.id]);
      return {
        kind: 'found',
        principal: {
          keyId: row.id,
          role: row.role,
          operator: row.operator,
          tenant: { id: row.tenant, name: row.tenant_name },
          project: { id: row.project, name: row.project_name },
        },
      };
    },
    { idempotent: true },
  );
}
