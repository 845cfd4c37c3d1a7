/**
 * Reads an unpacked archive of an image: an OCI layout (`oci-layout`, `index.json`, `blobs/`), or what `docker save`
 * writes (`manifest.json`).
 *
 * The archive names its parts by hash; each is checked before it is believed, the layers when they are unpacked.
 */
import { createHash } from 'node:crypto';
import { lstatSync, readFileSync } from 'node:fs';
import { join } from 'node:path';
import { imageConfigSchema } from './image-config.ts';
import { resolveInside } from './inside.ts';
import {
  choosePlatform,
  imageArchitecture,
  mostJsonBytes,
  parseDockerArchive,
  parseJson,
  parseManifest,
} from './manifest.ts';
import { PullError } from './pull-error.ts';

/** An image whose parts are files. */
export interface ImageParts {
  /** The image's configuration as it came. */
  readonly config: unknown;
  readonly layers: readonly { readonly file: string; readonly diffId: string | null }[];
}

/** @throws PullError */
export function readLayout(folder: string): ImageParts {
  if (exists(folder, 'index.json')) return readOci(folder);
  if (exists(folder, 'manifest.json')) return readDocker(folder);
  throw new PullError('image_invalid', 'it is no image: it holds neither index.json nor manifest.json');
}

/**
 * Pairs layers with the hashes that the configuration names.
 * @throws PullError when the two do not fit, or the image is for another machine
 */
export function partsOf(config: unknown, files: readonly string[]): ImageParts {
  const parsed = imageConfigSchema.safeParse(config);
  if (!parsed.success) throw new PullError('image_invalid', 'its configuration has an unknown form');
  const { os, architecture, rootfs } = parsed.data;
  const here = imageArchitecture();
  if ((os !== undefined && os !== 'linux') || (architecture !== undefined && architecture !== here)) {
    throw new PullError('image_invalid', `it is for ${os ?? 'linux'}/${architecture ?? here}, not for linux/${here}`);
  }
  const diffIds = rootfs?.diff_ids;
  if (diffIds !== undefined && diffIds.length !== files.length) {
    throw new PullError('image_invalid', `it has ${files.length} layers and names ${diffIds.length}`);
  }
  return { config, layers: files.map((file, at) => ({ file, diffId: diffIds?.[at] ?? null })) };
}

function readOci(folder: string): ImageParts {
  let found = parseManifest(parseJson(readText(folder, 'index.json'), 'index.json'));
  for (let depth = 0; found.kind === 'index'; depth += 1) {
    if (depth > 4) throw new PullError('image_invalid', 'its index leads to itself');
    const { digest } = choosePlatform(found.manifests);
    found = parseManifest(parseJson(readBlob(folder, digest), 'its manifest'));
  }
  const { config, layers } = found.manifest;
  return partsOf(
    parseJson(readBlob(folder, config.digest), 'its configuration'),
    layers.map(({ digest }) => fileIn(folder, blobPath(digest))),
  );
}

function readDocker(folder: string): ImageParts {
  const { config, layers } = parseDockerArchive(parseJson(readText(folder, 'manifest.json'), 'manifest.json'));
  return partsOf(
    parseJson(readText(folder, config), 'its configuration'),
    layers.map((path) => fileIn(folder, path)),
  );
}

const blobPath = (digest: string): string => join('blobs', ...digest.split(':'));

function exists(folder: string, path: string): boolean {
  return lstatSync(resolveInside(folder, path, true), { throwIfNoEntry: false })?.isFile() === true;
}

function fileIn(folder: string, path: string): string {
  if (!exists(folder, path)) throw new PullError('image_invalid', `it lacks its part "${path.slice(0, 200)}"`);
  return resolveInside(folder, path, true);
}

function readText(folder: string, path: string): string {
  const file = fileIn(folder, path);
  if (lstatSync(file).size > mostJsonBytes) throw new PullError('image_invalid', `"${path}" is too large`);
  return readFileSync(file, 'utf8');
}

function readBlob(folder: string, digest: string): string {
  const text = readText(folder, blobPath(digest));
  const found = `sha256:${createHash('sha256').update(text).digest('hex')}`;
  if (found !== digest) throw new PullError('image_invalid', `${digest} holds something else`);
  return text;
}
