/** Rows of API keys and tokens. The secret leaves here once, when it is made; the row keeps its hash. */
import type { z } from 'zod';
import type { Role, Routes } from '../../../common/contract/routes/index.ts';
import type { Tx } from '../../../common/database/index.ts';
import { appendEvents } from '../../../common/events/index.ts';
import { newId } from '../../../common/ids.ts';
import { type KeyKind, makeKey } from '../../../common/keys.ts';
import { iso } from '../wire.ts';

/** Kinds that are keys to people; sessions have rows here, too, and endpoints of their own. */
export type ListedKind = Exclude<KeyKind, 'session' | 'login' | 'invite'>;

export interface KeyRow {
  id: string;
  name: string;
  kind: ListedKind;
  role: Role;
  project: string;
  project_name: string;
  user_id: string | null;
  user_name: string | null;
  site_id: string | null;
  node_id: string | null;
  uses_left: number | null;
  created_at: Date;
  expires_at: Date | null;
  revoked_at: Date | null;
  last_used_at: Date | null;
}

/** Columns of `KeyRow` of `cmo_api_keys k` joined with `cmo_projects p`. */
export const keyColumns = `k.id, k.name, k.kind, k.role, k.project, p.name as project_name, k.user_id,
  (select u.name from cmo_users u where u.tenant = k.tenant and u.id = k.user_id) as user_name, k.site_id, k.node_id, k.uses_left,
  k.created_at, k.expires_at, k.revoked_at, k.last_used_at`;

export interface NewKey {
  readonly tenant: string;
  readonly project: { readonly id: string; readonly name: string };
  readonly name: string;
  readonly kind: 'api' | 'join';
  readonly role: Role;
  /** Person or service account that it belongs to. */
  readonly userId?: string | undefined;
  readonly siteId?: string;
  readonly usesLeft?: number;
  /** Seconds from now, > 0; default never. */
  readonly expiresInSeconds?: number;
  /** Id of the key that asks. */
  readonly who: string;
}

/** Makes a key. The secret is in the answer and nowhere else. */
export async function insertKey(tx: Tx, key: NewKey): Promise<{ row: KeyRow; secret: string }> {
  const made = makeKey(key.kind);
  const { rows } = await tx.query<KeyRow>(
    `with made as (
       insert into cmo_api_keys (id, tenant, project, name, kind, role, hash, site_id, uses_left, expires_at, user_id)
       values ($1, $2, $3, $4, $5, $6, $7, $8, $9, now() + make_interval(secs => $10), $12) returning *
     ) select ${keyColumns.replace('p.name', '$11::text')} from made k`,
    [
      newId('key'),
      key.tenant,
      key.project.id,
      key.name,
      key.kind,
      key.role,
      made.hash,
      key.siteId ?? null,
      key.usesLeft ?? null,
      key.expiresInSeconds ?? null,
      key.project.name,
      key.userId ?? null,
    ],
  );
  const row = rows[0]!;
  await appendEvents(tx, [
    {
      tenant: key.tenant,
      kind: 'key.created',
      subject: row.id,
      revision: 1n,
      data: { name: key.name, kind: key.kind, role: key.role, userId: key.userId, who: key.who },
    },
  ]);
  return { row, secret: made.text };
}

export function toWireKey(row: KeyRow): z.output<Routes['revokeKey']['response']> {
  return {
    id: row.id,
    name: row.name,
    kind: row.kind,
    role: row.role,
    project: { id: row.project, name: row.project_name },
    user: row.user_id === null ? null : { id: row.user_id, name: row.user_name! },
    siteId: row.site_id,
    nodeId: row.node_id,
    usesLeft: row.uses_left,
    createdAt: iso(row.created_at),
    expiresAt: iso(row.expires_at),
    revokedAt: iso(row.revoked_at),
    lastUsedAt: iso(row.last_used_at),
  };
}
