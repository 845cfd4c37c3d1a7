/**
 * Bytes by the SHA-256 of their content: bundles, checkpoints, artefacts (contracts §5).
 *
 * The name proves the content, so a blob is written once, never changed, and may be shared by all who can prove that
 * they have the bytes. Who may read what is not known here but in `ownership.ts`: a hash alone opens nothing.
 */
import { createHash } from 'node:crypto';
import type { Readable } from 'node:stream';

export interface BlobInfo {
  readonly hash: string;
  readonly sizeBytes: number;
  /** When it was last put; collection spares blobs younger than 24 h. */
  readonly storedAt: Date;
}

export interface PutOptions {
  /** Refuses more bytes than this; default no limit. */
  readonly maxBytes?: number;
}

export interface BlobStore {
  /**
   * Takes bytes and keeps them durably, all or nothing. Always reads the content to its end and verifies it, also when
   * the blob is there already, because having the bytes is what entitles a caller to the blob.
   * @returns how many bytes it has
   * @throws SolyxError `blob_hash_mismatch`, `body_too_large`, `disk_full`
   */
  put(content: Readable | Uint8Array, hash: string, options?: PutOptions): Promise<number>;
  /** The bytes, or undefined when there is no such blob. */
  get(hash: string): Promise<Readable | undefined>;
  has(hash: string): Promise<boolean>;
  /** Bytes, or undefined when there is no such blob. */
  size(hash: string): Promise<number | undefined>;
  /** Removes a blob; one that is not there is fine. Readers that have it open read on. */
  delete(hash: string): Promise<void>;
  /** Removes a blob unless it was put again after `instant`, also while this runs. @returns whether it was removed */
  deleteUnlessNewer(hash: string, instant: Date): Promise<boolean>;
  /** Everything that is stored, in no order. */
  list(): AsyncIterable<BlobInfo>;
}

const hashForm = /^[0-9a-f]{64}$/;

/** Whether a text is a SHA-256 in lower-case hexadecimal. */
export const isBlobHash = (text: string): boolean => hashForm.test(text);

/** Name that these bytes are stored under. */
export function hashOf(content: Uint8Array): string {
  return createHash('sha256').update(content).digest('hex');
}
