/**
 * API keys and tokens as text: `sx_<kind>_<52 characters>_<checksum>`.
 *
 * A key is 32 random bytes, so one SHA-256 is hash enough and lookups go by it; nobody stores the key itself. The kind
 * is readable so that a join token pasted where an API key belongs is told apart at once, the checksum so that a
 * mistyped or cut-off key is refused without asking the database, and the prefix so that secret scanners find it.
 */
import { createHash, randomBytes } from 'node:crypto';

/**
 * api: people and programs · join: makes nodes · node: one node's own · session: a browser's · login, invite: the token of
 * a one-time link.
 */
export const keyKinds = ['api', 'join', 'node', 'session', 'login', 'invite'] as const;
export type KeyKind = (typeof keyKinds)[number];

export interface ParsedKey {
  readonly kind: KeyKind;
  /** SHA-256 of the whole text: what `cmo_api_keys.hash` holds. */
  readonly hash: Buffer;
}

const alphabet = '0123456789abcdefghjkmnpqrstvwxyz';
const form = /^(sx_(api|join|node|session|login|invite)_[0-9a-hjkmnp-tv-z]{52})_([0-9a-hjkmnp-tv-z]{6})$/;

/** Makes a new key. The text is shown once; only the hash is kept. */
export function makeKey(kind: KeyKind): ParsedKey & { readonly text: string } {
  const body = `sx_${kind}_${base32(randomBytes(32))}`;
  const text = `${body}_${checksum(body)}`;
  return { text, kind, hash: hashKey(text) };
}

/** Takes a key apart, or undefined when it is none: wrong form, unknown kind, wrong checksum. */
export function parseKey(text: string): ParsedKey | undefined {
  const match = form.exec(text);
  if (match === null || checksum(match[1]!) !== match[3]) return undefined;
  return { kind: match[2] as KeyKind, hash: hashKey(text) };
}

/** SHA-256 of the key's text, 32 bytes. */
export function hashKey(text: string): Buffer {
  return createHash('sha256').update(text).digest();
}

/** The key of an `Authorization: Bearer …` header, or undefined. */
export function bearerKey(header: string | undefined): ParsedKey | undefined {
  const match = /^Bearer +(\S+)$/i.exec(header ?? '');
  return match === null ? undefined : parseKey(match[1]!);
}

function checksum(body: string): string {
  return base32(createHash('sha256').update(`check ${body}`).digest().subarray(0, 4)).slice(0, 6);
}

/** Crockford base32, five bits a character, the last one padded with zero bits. */
function base32(bytes: Uint8Array): string {
  let text = '';
  let bits = 0;
  let value = 0;
  for (const byte of bytes) {
    value = (value << 8) | byte;
    bits += 8;
    while (bits >= 5) {
      bits -= 5;
      text += alphabet.charAt((value >>> bits) & 31);
    }
    value &= (1 << bits) - 1;
  }
  return bits > 0 ? text + alphabet.charAt((value << (5 - bits)) & 31) : text;
}
