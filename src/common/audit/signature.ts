/** Heads of the audit log that were signed, and how a signature is checked; without a database, for whoever verifies. */
import { createPublicKey, verify } from 'node:crypto';

export interface Head {
  readonly tenant: string;
  readonly sequence: number;
  /** 64 hexadecimal digits. */
  readonly hash: string;
  /** ISO 8601, UTC, milliseconds: when it was signed. */
  readonly at: string;
}

export interface SignedHead extends Head {
  /** Ed25519, base64. */
  readonly signature: string;
  /** SPKI, base64. */
  readonly publicKey: string;
}

/** The bytes that are signed. */
export const textOf = ({ tenant, sequence, hash, at }: Head): Buffer =>
  Buffer.from(['solyx-audit-head-1', tenant, sequence, hash, at].join('\n'));

/** Whether a head was signed by the key that it names. */
export function isSignatureRight(head: SignedHead): boolean {
  try {
    const key = createPublicKey({ key: Buffer.from(head.publicKey, 'base64'), format: 'der', type: 'spki' });
    return verify(null, textOf(head), key, Buffer.from(head.signature, 'base64'));
  } catch {
    return false;
  }
}
