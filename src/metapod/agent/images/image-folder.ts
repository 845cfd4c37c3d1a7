/**
 * One image on this node's disk: `<key>/rootfs` and what is known of it in `image.json`, which comes last and whole.
 *
 * A folder appears under its key by one rename, so whatever has a key is complete.
 */
import { mkdirSync, readdirSync, statSync, utimesSync } from 'node:fs';
import { join } from 'node:path';
import { z } from 'zod';
import { removeTree } from '../isolation/remove-tree.ts';
import { readJson, writeAtomic } from '../supervisor/files.ts';
import type { ImageConfig } from './image-config.ts';

const record = z.object({
  version: z.literal(1),
  /** As it was asked for when it came. */
  name: z.string(),
  sizeBytes: z.number(),
  /** It came without credentials. */
  isPublic: z.boolean(),
  at: z.string(),
  config: z.object({
    user: z.string(),
    env: z.record(z.string(), z.string()),
    entrypoint: z.array(z.string()),
    cmd: z.array(z.string()),
    workingDirectory: z.string(),
  }),
});

export interface StoredImage {
  readonly key: string;
  /** Root file system; never written to. */
  readonly rootfs: string;
  readonly config: ImageConfig;
  readonly name: string;
  readonly sizeBytes: number;
  /** Anybody may have it: it came without credentials. */
  readonly isPublic: boolean;
  readonly usedAt: Date;
}

const recordFile = (folder: string) => join(folder, 'image.json');

/** Writes the record of an image that is unpacked below `folder`; the caller renames the folder into place. */
export function writeRecord(
  folder: string,
  image: Pick<StoredImage, 'name' | 'sizeBytes' | 'isPublic' | 'config'>,
): void {
  writeAtomic(recordFile(folder), JSON.stringify({ version: 1, at: new Date().toISOString(), ...image }));
}

/** The image in a folder; undefined when there is none, or one that a different release wrote. */
export function readImage(images: string, key: string): StoredImage | undefined {
  const folder = join(images, key);
  const found = readJson(recordFile(folder));
  const parsed = found.kind === 'ok' ? record.safeParse(found.value) : undefined;
  if (!parsed?.success) return undefined;
  const { name, sizeBytes, isPublic, config } = parsed.data;
  const usedAt = statSync(recordFile(folder)).mtime;
  return { key, rootfs: join(folder, 'rootfs'), config, name, sizeBytes, isPublic, usedAt };
}

/** Every image of the folder `images`; what is damaged is deleted on the way, unless it is in use. */
export function listImages(images: string, inUse: ReadonlySet<string>): StoredImage[] {
  mkdirSync(images, { recursive: true, mode: 0o700 });
  return readdirSync(images, { withFileTypes: true }).flatMap((entry) => {
    if (!entry.isDirectory() || entry.name === 'incoming') return [];
    const image = readImage(images, entry.name);
    if (image === undefined && !inUse.has(entry.name)) removeTree(join(images, entry.name));
    return image ?? [];
  });
}

/** An image that is used now is the last to be collected. */
export function touchImage(images: string, key: string): void {
  const now = new Date();
  utimesSync(recordFile(join(images, key)), now, now);
}
