/** Packs files of the browser into a bundle: tar, gzip, and the SHA-256 that names it. */
import { type BundleFile, writeTar } from './tar.ts';

/** Folders and files that the command line leaves out too. */
const leftOut = new Set(['.git', 'node_modules', '.DS_Store']);
/** Largest folder that is packed in memory, bytes; larger ones go by the command line, which streams. */
export const mostBytes = 256 * 2 ** 20;

export interface Bundle {
  /** SHA-256, hexadecimal. */
  readonly hash: string;
  readonly bytes: Uint8Array<ArrayBuffer>;
  readonly fileCount: number;
}

/** Whether a path of a chosen folder is sent. */
export const isSent = (path: string): boolean => !path.split('/').some((part) => leftOut.has(part));

/** Packs files. @throws Error when a path cannot be sent, or the browser cannot hash (no TLS) */
export async function packFiles(files: readonly BundleFile[]): Promise<Bundle> {
  if (files.length === 0) throw new Error('The folder has no files.');
  if (globalThis.crypto?.subtle === undefined) {
    throw new Error('This browser hashes only over HTTPS or on localhost; use `solyx submit` for a folder.');
  }
  const stream = new Blob([writeTar(files)]).stream().pipeThrough(new CompressionStream('gzip'));
  const bytes = new Uint8Array(await new Response(stream).arrayBuffer());
  const digest = new Uint8Array(await crypto.subtle.digest('SHA-256', bytes));
  const hash = Array.from(digest, (byte) => byte.toString(16).padStart(2, '0')).join('');
  return { hash, bytes, fileCount: files.length };
}
