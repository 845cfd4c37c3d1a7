/** The audit log read: a tenant's admins see their own. */
import { type Head, readHead, type SignedHead, signHead } from '../../../common/audit/index.ts';
import { withSystem, withTenant } from '../../../common/database/index.ts';
import type { Handlers } from '../../../common/http/index.ts';
import type { ApiDeps } from '../deps.ts';
import { cursorNumber, makePage } from '../paging.ts';
import { iso } from '../wire.ts';

interface EntryRow {
  tenant: string;
  sequence: bigint;
  at: Date;
  actor_kind: 'key' | 'person' | 'service' | 'system';
  actor: string;
  key_id: string | null;
  action: string;
  subject: string;
  address: string | null;
  request_id: string | null;
  data: string;
  previous: Buffer;
  hash: Buffer;
}

interface SealRow {
  tenant: string;
  sequence: bigint;
  hash: Buffer;
  at: Date;
  public_key: Buffer;
  signature: Buffer;
}

const toEntry = (row: EntryRow) => ({
  tenant: row.tenant,
  sequence: Number(row.sequence),
  at: iso(row.at),
  actorKind: row.actor_kind,
  actor: row.actor,
  keyId: row.key_id,
  action: row.action,
  subject: row.subject,
  address: row.address,
  requestId: row.request_id,
  data: parseData(row.data),
  previous: row.previous.toString('hex'),
  hash: row.hash.toString('hex'),
});

/** What somebody put into the column by hand need not be JSON; shown as a text it does not verify, which is right. */
function parseData(text: string): Record<string, unknown> {
  try {
    const value: unknown = JSON.parse(text);
    if (typeof value === 'object' && value !== null && !Array.isArray(value)) return value as Record<string, unknown>;
  } catch {
    // Below.
  }
  return { damaged: text.slice(0, 1000) };
}

const toSeal = (row: SealRow): SignedHead => ({
  tenant: row.tenant,
  sequence: Number(row.sequence),
  hash: row.hash.toString('hex'),
  at: iso(row.at),
  signature: row.signature.toString('base64'),
  publicKey: row.public_key.toString('base64'),
});

const bySequence = <Row extends { sequence: bigint }>(rows: readonly Row[]) =>
  rows.map((row) => ({ ...row, id: row.sequence }));

/** Greatest sequence that a cursor can name. */
const beyondAll = 10n ** 18n;

export function auditHandlers(deps: ApiDeps): Handlers<'listAudit' | 'getAuditHead' | 'listAuditSeals'> {
  const { db, clock, secrets } = deps;
  return {
    listAudit: ({ principal, query }) =>
      withTenant(
        db,
        principal.tenant.id,
        async (tx) => {
          const forward = query.order === 'oldest';
          const from = cursorNumber(query.cursor) ?? (forward ? 0n : beyondAll);
          const { rows } = await tx.query<EntryRow>(
            `select * from audit_entries
             where tenant = $1 and sequence ${forward ? '>' : '<'} $2
               and ($3::text is null or actor = $3 or key_id = $3)
               and ($4::text is null or (action >= $4 and action < $4 || chr(1114109)))
               and ($5::text is null or subject = $5)
               and ($6::timestamptz is null or at >= $6) and ($7::timestamptz is null or at < $7)
             order by sequence ${forward ? 'asc' : 'desc'} limit $8`,
            [
              principal.tenant.id,
              from,
              query.actor ?? null,
              query.action ?? null,
              query.subject ?? null,
              query.since ?? null,
              query.until ?? null,
              query.limit + 1,
            ],
          );
          return makePage(bySequence(rows), query.limit, toEntry);
        },
        { readOnly: true },
      ),

    // As the system: the key that signs is no tenant's to read.
    getAuditHead: ({ principal }) =>
      withSystem(db, async (tx) => {
        const head: Head = await readHead(tx, principal.tenant.id, clock.now());
        return signHead(tx, secrets, head);
      }),

    listAuditSeals: ({ principal, query }) =>
      withTenant(
        db,
        principal.tenant.id,
        async (tx) => {
          const { rows } = await tx.query<SealRow>(
            'select * from audit_seals where tenant = $1 and sequence > $2 order by sequence limit $3',
            [principal.tenant.id, cursorNumber(query.cursor) ?? 0n, query.limit + 1],
          );
          return makePage(bySequence(rows), query.limit, toSeal);
        },
        { readOnly: true },
      ),
  };
}
