/**
 * Prefixed, sortable ids: `job_` + 26 characters of Crockford base32 over a UUIDv7. Sorting by id is sorting by time
 * of creation (to the millisecond, and in order within one process), so ids serve as keyset-paging keys.
 */
import { uuidv7obj } from 'uuidv7';

const prefixes = {
  tenant: 'ten',
  project: 'prj',
  user: 'usr',
  key: 'key',
  link: 'lnk',
  job: 'job',
  array: 'arr',
  attempt: 'att',
  allocation: 'alc',
  site: 'site',
  node: 'node',
  device: 'dev',
  session: 'ses',
  usage: 'use',
  command: 'cmd',
  channel: 'chn',
  request: 'req',
  secret: 'sec',
  notificationChannel: 'ntf',
  delivery: 'dlv',
  dataKey: 'dek',
  reservation: 'rsv',
} as const;

export type IdKind = keyof typeof prefixes;

/** An id of one kind; the brand keeps a job's id from being passed where a node's is meant. */
export type Id<K extends IdKind> = string & { readonly __id: K };
export type JobId = Id<'job'>;
export type AttemptId = Id<'attempt'>;
export type AllocationId = Id<'allocation'>;
export type SiteId = Id<'site'>;
export type NodeId = Id<'node'>;
export type DeviceId = Id<'device'>;
export type ReservationId = Id<'reservation'>;

const alphabet = '0123456789abcdefghjkmnpqrstvwxyz';

/** 128 bits as 26 digits, of which the first holds three; by the byte, since ids are made by the thousand. */
function base32(bytes: Uint8Array): string {
  let text = '';
  let held = 0;
  let bits = 2;
  for (const byte of bytes) {
    held = (held << 8) | byte;
    bits += 8;
    while (bits >= 5) {
      bits -= 5;
      text += alphabet[(held >> bits) & 31];
    }
    held &= (1 << bits) - 1;
  }
  return text;
}

/** Makes a new id of a kind. */
export function newId<K extends IdKind>(kind: K): Id<K> {
  return `${prefixes[kind]}_${base32(uuidv7obj().bytes)}` as Id<K>;
}

/** An id that sorts before every one made at or after an instant, and after every one made a millisecond before. */
export function firstIdAt<K extends IdKind>(kind: K, instant: Date): Id<K> {
  // No Buffer here: the types of the contract reach browser code, which has none.
  const bytes = new Uint8Array(16);
  new DataView(bytes.buffer).setBigUint64(0, BigInt(Math.max(0, instant.getTime())) << 16n);
  return `${prefixes[kind]}_${base32(bytes)}` as Id<K>;
}

/** Regular expression source that an id of this kind matches. */
export function idPattern(kind: IdKind): string {
  return `^${prefixes[kind]}_[0-9a-hjkmnp-tv-z]{26}$`;
}

const patterns = new Map<IdKind, RegExp>();

/** Whether a text is an id of this kind (form only; it may not exist). */
export function isId<K extends IdKind>(kind: K, text: string): text is Id<K> {
  let pattern = patterns.get(kind);
  if (!pattern) {
    pattern = new RegExp(idPattern(kind));
    patterns.set(kind, pattern);
  }
  return pattern.test(text);
}
