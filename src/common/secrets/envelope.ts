/**
 * Sealing by AES-256-GCM, for values under data keys and for data keys under key-encryption keys.
 *
 * A seal is bound to where it lies (`place`: tenant, id, name, version …) as additional authenticated data, so that whoever can
 * write to the database cannot move a sealed value to another name, tenant or version: it does not open there.
 * Form: one byte of version, 12 of nonce, 16 of tag, then as many as the value has. Nonces are random: one key seals far fewer
 * than the 2^32 values up to which that is safe (NIST SP 800-38D, 8.3).
 */
import { createCipheriv, createDecipheriv, createHash, randomBytes } from 'node:crypto';

const form = 1;
const nonceBytes = 12;
const tagBytes = 16;
/** Bytes by which a seal is longer than its value. */
export const sealOverheadBytes = 1 + nonceBytes + tagBytes;
export const keyBytes = 32;

/** What a seal is bound to; texts in a fixed order. */
export type Place = readonly (string | number)[];

/** @param key 32 bytes */
export function seal(key: Buffer, value: Uint8Array, place: Place): Buffer {
  const nonce = randomBytes(nonceBytes);
  const cipher = createCipheriv('aes-256-gcm', key, nonce);
  cipher.setAAD(Buffer.from(JSON.stringify(place)));
  const body = Buffer.concat([cipher.update(value), cipher.final()]);
  return Buffer.concat([Buffer.of(form), nonce, cipher.getAuthTag(), body]);
}

/** The value, or undefined when key, place or bytes are not those of the seal. */
export function unseal(key: Buffer, sealed: Uint8Array, place: Place): Buffer | undefined {
  if (sealed.length < sealOverheadBytes || sealed[0] !== form) return undefined;
  const decipher = createDecipheriv('aes-256-gcm', key, sealed.subarray(1, 1 + nonceBytes), {
    authTagLength: tagBytes,
  });
  decipher.setAAD(Buffer.from(JSON.stringify(place)));
  decipher.setAuthTag(sealed.subarray(1 + nonceBytes, sealOverheadBytes));
  try {
    return Buffer.concat([decipher.update(sealed.subarray(sealOverheadBytes)), decipher.final()]);
  } catch {
    return undefined;
  }
}

/** Name of a key-encryption key: says which it is and nothing about it. 16 hexadecimal digits. */
export const keyId = (key: Buffer): string =>
  createHash('sha256').update('solyx key id').update(key).digest('hex').slice(0, 16);
