/**
 * The text of an audit entry that is hashed, and its hash; the same in the database (`audit_append`) and wherever somebody
 * checks. Plain SHA-256 over lines, so that anyone can check an exported log with a few lines of any language.
 *
 * Every part is a line of its own and none can hold a line break (checks of the table, canonical JSON), so no two different
 * entries have the same text.
 */
import { createHash } from 'node:crypto';

/** Hash that the first entry of a tenant is chained to. */
export const zeroHash = '0'.repeat(64);

/** What is hashed of an entry. */
export interface ChainedEntry {
  readonly tenant: string;
  /** 1, 2, 3 … without gaps. */
  readonly sequence: number;
  /** ISO 8601, UTC, milliseconds. */
  readonly at: string;
  readonly actorKind: string;
  readonly actor: string;
  readonly keyId: string | null;
  readonly action: string;
  readonly subject: string;
  readonly address: string | null;
  readonly requestId: string | null;
  readonly data: unknown;
}

/** JSON with sorted keys and no spaces: equal values have equal text. */
export function canonicalJson(value: unknown): string {
  if (Array.isArray(value)) return `[${value.map((item) => canonicalJson(item ?? null)).join(',')}]`;
  if (typeof value === 'object' && value !== null) {
    const parts = Object.entries(value)
      .filter(([, item]) => item !== undefined)
      .sort(([a], [b]) => (a < b ? -1 : 1))
      .map(([key, item]) => `${JSON.stringify(key)}:${canonicalJson(item)}`);
    return `{${parts.join(',')}}`;
  }
  return JSON.stringify(value ?? null);
}

/** @param previous hash of the entry before, 64 hexadecimal digits @returns the entry's hash, the same form */
export function chainHash(previous: string, entry: ChainedEntry): string {
  const lines = [
    'solyx-audit-1',
    previous,
    entry.tenant,
    String(entry.sequence),
    entry.at,
    entry.actorKind,
    entry.actor,
    entry.keyId ?? '-',
    entry.action,
    entry.subject,
    entry.address ?? '-',
    entry.requestId ?? '-',
    canonicalJson(entry.data),
  ];
  return createHash('sha256').update(lines.join('\n')).digest('hex');
}
