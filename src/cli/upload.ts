/** Uploads a working directory as a bundle, unless the server has it, and shows how far it is when it takes long. */
import { createReadStream } from 'node:fs';
import { readFile } from 'node:fs/promises';
import { pipeline, Readable, Transform } from 'node:stream';
import colors from 'picocolors';
import type { Client } from '../common/contract/client.ts';
import { SolyxError } from '../common/errors/index.ts';
import { formatBytes } from '../common/units.ts';
import { type Bundle, packFolder } from './bundle.ts';
import { note } from './output.ts';

/** Largest bundle that is read whole, bytes. */
const mostBytesInMemory = 32 * 2 ** 20;
/** Longest time for an upload, seconds. */
const timeoutSeconds = 3600;
/** How often progress is told, milliseconds; what takes less is not worth a word. */
const tellEveryMs = 1_000;

/**
 * @returns SHA-256 of the bundle, hexadecimal
 * @throws job_spec_invalid when the folder cannot be sent, and what the server answers
 */
export async function uploadFolder(client: Client, folder: string): Promise<string> {
  let told = `packing ${folder} …`;
  const tell = (words: string) => {
    told = words;
  };
  const timer = setInterval(() => note(colors.dim(told)), tellEveryMs);
  try {
    const bundle = await packFolder(folder);
    try {
      const params = { sha256: bundle.hash };
      if (!(await isKnown(client, bundle.hash))) {
        // Bytes are sent again when a connection breaks, but a large folder need not fit into memory.
        const body = bundle.sizeBytes <= mostBytesInMemory ? await readFile(bundle.file) : streamFile(bundle, tell);
        await client.putBlob({ params, body }, { timeoutSeconds });
      }
      return bundle.hash;
    } finally {
      await bundle.dispose();
    }
  } finally {
    clearInterval(timer);
  }
}

export function streamFile(
  { file, sizeBytes }: Pick<Bundle, 'file' | 'sizeBytes'>,
  tell: (words: string) => void,
): ReadableStream<Uint8Array> {
  let sentBytes = 0;
  const counted = new Transform({
    transform(bytes: Buffer, _encoding, done) {
      sentBytes += bytes.length;
      tell(`uploading ${formatBytes(sentBytes)} of ${formatBytes(sizeBytes)} …`);
      done(null, bytes);
    },
  });
  // `pipeline` hands an error of the file on to the reader of the stream, which is where it is answered.
  pipeline(createReadStream(file, { highWaterMark: 2 ** 18 }), counted, () => {});
  return Readable.toWeb(counted) as ReadableStream<Uint8Array>;
}

/** Whether the server has these bytes already. */
export async function isKnown(client: Client, sha256: string): Promise<boolean> {
  try {
    await client.headBlob({ params: { sha256 } });
    return true;
  } catch (error) {
    if (error instanceof SolyxError && error.code === 'not_found') return false;
    throw error;
  }
}
