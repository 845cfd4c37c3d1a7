/**
 * Checkpoints: everything that the rest of the training depends on, in one file that is either whole or not there.
 *
 * The file is one line of JSON (step, random state, a hash of what follows) and then the raw 32-bit floats. It is
 * written under another name, flushed, and renamed, so that a kill at any moment leaves the checkpoint before it.
 */
import { createHash } from 'node:crypto';
import { closeSync, existsSync, fsyncSync, mkdirSync, openSync, readFileSync, renameSync, writeSync } from 'node:fs';
import { join } from 'node:path';

const FILE = 'checkpoint.bin';

const hashOf = (bytes) => createHash('sha256').update(bytes).digest('hex');

/** @param arrays Float32Arrays, kept in this order; @param header plain values */
export function saveCheckpoint(folder, header, arrays) {
  mkdirSync(folder, { recursive: true });
  const body = Buffer.concat(arrays.map((array) => Buffer.from(array.buffer, array.byteOffset, array.byteLength)));
  const partial = join(folder, `${FILE}.partial`);
  const file = openSync(partial, 'w');
  try {
    const whole = Buffer.concat([Buffer.from(`${JSON.stringify({ ...header, sha256: hashOf(body) })}\n`), body]);
    for (let written = 0; written < whole.length; ) written += writeSync(file, whole, written);
    fsyncSync(file);
  } finally {
    closeSync(file);
  }
  renameSync(partial, join(folder, FILE));
}

/** Fills `arrays` and returns the header, or returns undefined when there is no checkpoint that fits and is whole. */
export function loadCheckpoint(folder, arrays) {
  const path = join(folder, FILE);
  if (!existsSync(path)) return undefined;
  const whole = readFileSync(path);
  const end = whole.indexOf('\n');
  const body = whole.subarray(end + 1);
  let header;
  try {
    header = JSON.parse(whole.subarray(0, end).toString('utf8'));
  } catch {
    return undefined;
  }
  const expected = arrays.reduce((sum, array) => sum + array.byteLength, 0);
  if (header.sha256 !== hashOf(body) || body.length !== expected) return undefined;
  let offset = 0;
  for (const array of arrays) {
    body.copy(new Uint8Array(array.buffer, array.byteOffset, array.byteLength), 0, offset);
    offset += array.byteLength;
  }
  return header;
}
