/** Uploads the archive of an image that lies beside a spec, unless the server has it. */
import { createHash } from 'node:crypto';
import { createReadStream } from 'node:fs';
import { stat } from 'node:fs/promises';
import { resolve } from 'node:path';
import { pipeline } from 'node:stream/promises';
import colors from 'picocolors';
import type { Client } from '../common/contract/client.ts';
import { parseImage } from '../common/contract/image.ts';
import { SolyxError } from '../common/errors/index.ts';
import { note } from './output.ts';
import { isKnown, streamFile } from './upload.ts';

/** Longest time for an upload, seconds. */
const timeoutSeconds = 3600;
const tellEveryMs = 1_000;

/**
 * @param image as the spec has it
 * @param base folder that relative paths begin at
 * @returns the image as the server takes it: an archive by its hash, anything else unchanged
 * @throws job_spec_invalid when the archive cannot be read, and what the server answers
 */
export async function uploadImage(client: Client, image: string, base: string): Promise<string> {
  const reference = parseImage(image);
  if (reference.kind !== 'archive-to-upload') return image;
  const file = resolve(base, reference.path);
  let told = `reading ${file} …`;
  const timer = setInterval(() => note(colors.dim(told)), tellEveryMs);
  try {
    const sizeBytes = await sizeOf(file);
    const hash = createHash('sha256');
    await pipeline(createReadStream(file, { highWaterMark: 2 ** 20 }), hash);
    const sha256 = hash.digest('hex');
    if (!(await isKnown(client, sha256))) {
      const body = streamFile({ file, sizeBytes }, (words) => {
        told = words;
      });
      await client.putBlob({ params: { sha256 }, body }, { timeoutSeconds });
    }
    return `oci-archive:sha256:${sha256}`;
  } finally {
    clearInterval(timer);
  }
}

async function sizeOf(file: string): Promise<number> {
  try {
    const found = await stat(file);
    if (found.isFile()) return found.size;
  } catch (error) {
    throw invalid(`the archive cannot be read: ${(error as Error).message}`);
  }
  throw invalid(`${file} is no file; make an archive with "podman save --format oci-archive" or "docker save"`);
}

const invalid = (message: string): SolyxError =>
  new SolyxError('job_spec_invalid', { detail: message, issues: [{ at: '/image', message }] });
