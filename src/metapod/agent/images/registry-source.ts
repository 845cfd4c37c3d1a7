/**
 * Images from registries: the manifest says what the parts are, each part is downloaded and proved by its hash.
 *
 * A tag is looked up at every start, so that a job runs what the tag means now; when the registry does not answer, the
 * image that the tag meant last, if it is still here, is better than no start. Broken downloads go on where they broke.
 */
import { createHash, type Hash } from 'node:crypto';
import { readFileSync } from 'node:fs';
import { mkdir, open } from 'node:fs/promises';
import { join } from 'node:path';
import { setTimeout as pause } from 'node:timers/promises';
import { backoffMs } from '../../../common/database/retry.ts';
import { type ImageParts, partsOf } from './layout.ts';
import {
  choosePlatform,
  type Descriptor,
  digestPattern,
  type ImageManifest,
  mostJsonBytes,
  parseJson,
  parseManifest,
} from './manifest.ts';
import { PullError } from './pull-error.ts';
import { Registry, type RegistryImage, type RegistryOptions } from './registry.ts';
import type { Fetching, ImageSource } from './source.ts';

const mostTries = 5;
const atOnce = 3;

/**
 * Asks the registry what the name means now.
 * @throws PullError
 */
export async function registrySource(image: RegistryImage, options: RegistryOptions): Promise<ImageSource> {
  const { digest, manifest } = await retried(options.signal, () => findManifest(new Registry(image, options), image));
  return {
    key: digest.replace(':', '-'),
    isPublic: options.credentials === null,
    fetch: async (fetching) => {
      const registry = new Registry(image, { ...options, signal: fetching.signal });
      return { kind: 'layers', ...(await download(registry, manifest, fetching)) };
    },
  };
}

async function findManifest(
  registry: Registry,
  image: RegistryImage,
): Promise<{ digest: string; manifest: ImageManifest }> {
  let wanted = image.digest;
  let bytes = await registry.manifest(wanted ?? image.tag!);
  for (let depth = 0; ; depth += 1) {
    const found = `sha256:${createHash('sha256').update(bytes).digest('hex')}`;
    if (wanted !== null && found !== wanted) throw new PullError('image_invalid', `${wanted} holds something else`);
    const parsed = parseManifest(parseJson(bytes.toString('utf8'), 'its manifest'));
    if (parsed.kind === 'manifest') return { digest: found, manifest: parsed.manifest };
    if (depth > 2) throw new PullError('image_invalid', 'its index leads to itself');
    wanted = choosePlatform(parsed.manifests).digest;
    bytes = await registry.manifest(wanted);
  }
}

async function download(registry: Registry, manifest: ImageManifest, fetching: Fetching): Promise<ImageParts> {
  const { folder, mostBytes, say } = fetching;
  const totalBytes = manifest.layers.reduce((sum, { size }) => sum + size, 0);
  if (totalBytes > mostBytes) {
    throw new PullError('image_too_large', `its layers have ${totalBytes} bytes of ${mostBytes} left for images`);
  }
  if (manifest.config.size > mostJsonBytes) throw new PullError('image_invalid', 'its configuration is too large');
  await mkdir(folder, { recursive: true });
  let doneBytes = 0;
  const count = (bytes: number) => {
    doneBytes += bytes;
    say(`downloading the image: ${mebibytes(doneBytes)} of ${mebibytes(totalBytes)} MiB`);
  };
  const fileOf = ({ digest }: Descriptor) => join(folder, digest.slice('sha256:'.length));
  await bring(registry, manifest.config, fileOf(manifest.config), fetching.signal, () => undefined);
  const config = parseJson(readFileSync(fileOf(manifest.config), 'utf8'), 'its configuration');
  const parts = partsOf(config, manifest.layers.map(fileOf));
  // The same layer may stand twice in an image; it is brought once.
  const waiting = [...new Map(manifest.layers.map((layer) => [layer.digest, layer])).values()];
  const worker = async () => {
    for (let layer = waiting.shift(); layer !== undefined; layer = waiting.shift()) {
      await bring(registry, layer, fileOf(layer), fetching.signal, count);
    }
  };
  await Promise.all(Array.from({ length: atOnce }, worker));
  return parts;
}

const mebibytes = (bytes: number): string => (bytes / 2 ** 20).toFixed(1);

async function bring(
  registry: Registry,
  { digest, size }: Descriptor,
  file: string,
  signal: AbortSignal,
  count: (bytes: number) => void,
): Promise<void> {
  if (!digestPattern.test(digest)) throw new PullError('image_invalid', 'a part has no hash that is known');
  let state: { hash: Hash; bytes: number } = { hash: createHash('sha256'), bytes: 0 };
  await retried(signal, async () => {
    if (state.bytes >= size && size > 0) return;
    const answer = await registry.blob(digest, state.bytes);
    if (answer.statusCode !== 206 && state.bytes > 0) {
      count(-state.bytes);
      state = { hash: createHash('sha256'), bytes: 0 };
    }
    const output = await open(file, state.bytes > 0 ? 'r+' : 'w', 0o600);
    try {
      for await (const part of answer as AsyncIterable<Buffer>) {
        if (state.bytes + part.length > size) throw new PullError('image_invalid', `${digest} is larger than it says`);
        for (let at = 0; at < part.length; ) {
          at += (await output.write(part, at, part.length - at, state.bytes + at)).bytesWritten;
        }
        // Counted when it is written, so that hash, file and position agree wherever a download breaks.
        state.hash.update(part);
        state.bytes += part.length;
        count(part.length);
      }
    } catch (error) {
      const { code } = error as NodeJS.ErrnoException;
      if (error instanceof PullError || signal.aborted || code === 'ENOSPC' || code === 'EDQUOT') throw error;
      throw new PullError('image_unreachable', `the download broke: ${code ?? (error as Error).message}`, {
        cause: error,
      });
    } finally {
      answer.destroy();
      await output.close();
    }
    if (state.bytes < size) throw new PullError('image_unreachable', `${digest} ended early`);
  });
  const found = `sha256:${state.hash.digest('hex')}`;
  if (found !== digest) throw new PullError('image_invalid', `${digest} holds something else`);
}

/** Tries again what may pass, with growing pauses. */
async function retried<T>(signal: AbortSignal, act: () => Promise<T>): Promise<T> {
  for (let failures = 1; ; failures += 1) {
    try {
      return await act();
    } catch (error) {
      const mayPass = error instanceof PullError && error.isPassing && error.code !== 'image_no_space';
      if (!mayPass || failures >= mostTries || signal.aborted) throw error;
      await pause(backoffMs(failures + 2, 10_000), undefined, { signal });
    }
  }
}
