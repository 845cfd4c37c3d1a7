/**
 * The images of this node: brought once, unpacked once, used by many attempts, deleted when others need the room.
 *
 * A registry's own tools could do that, but each keeps images in a place and a form of its own, and none says in numbers
 * how far it is or in codes why it failed. Here an image is a plain folder, whatever it came from, and every driver runs
 * that. Attempts that want the same image wait for the same pull. What a killed agent left half done lies in `incoming/`
 * and is deleted by the next one. The price: layers that two images share are on disk twice.
 */
import { mkdirSync, renameSync, rmSync } from 'node:fs';
import { join } from 'node:path';
import { failpoint } from '../../../common/failpoints.ts';
import type { IdRange } from '../isolation/container/id-range.ts';
import { removeTree } from '../isolation/remove-tree.ts';
import { imagesToDelete } from './collect.ts';
import { bareConfig, imageConfigOf, imageConfigSchema } from './image-config.ts';
import { listImages, readImage, type StoredImage, touchImage, writeRecord } from './image-folder.ts';
import { PullError } from './pull-error.ts';
import type { ImageSource } from './source.ts';
import { unpackImage } from './unpack.ts';

export interface ImageStoreOptions {
  readonly folder: string;
  /** All images together, bytes, > 0. */
  readonly mostBytes: number;
  /** Longest time for bringing one image, ms. */
  readonly pullMs: number;
  /** Into which the owners of an image's files are shifted; null where the agent may not give files away. */
  readonly ids: IdRange | null;
  readonly nodeBinary: string;
  /** Keys that attempts on this node still have. */
  readonly inUse: () => ReadonlySet<string>;
}

interface Pull {
  readonly result: Promise<StoredImage>;
  readonly controller: AbortController;
  readonly listeners: Set<(progress: string) => void>;
}

export class ImageStore {
  readonly #options: ImageStoreOptions;
  readonly #pulls = new Map<string, Pull>();
  readonly #pins = new Map<string, number>();

  /** Makes the folder and deletes what a killed agent left half done. */
  constructor(options: ImageStoreOptions) {
    this.#options = options;
    mkdirSync(options.folder, { recursive: true, mode: 0o700 });
    removeTree(join(options.folder, 'incoming'));
  }

  /** Every image on disk. */
  list(): StoredImage[] {
    return listImages(this.#options.folder, this.#kept());
  }

  /**
   * The image, brought and unpacked if this node lacks it. It stays until `release` is called, and after that as long as
   * `inUse` names it.
   *
   * @param say told about progress, in words
   * @param signal gives up waiting; what nobody waits for any more is not brought to its end
   * @throws PullError; Error with code ENOSPC
   */
  async take(
    source: ImageSource,
    name: string,
    say: (progress: string) => void,
    signal: AbortSignal,
  ): Promise<{ image: StoredImage; release: () => void }> {
    const { key } = source;
    const release = this.#pin(key);
    try {
      const image = readImage(this.#options.folder, key) ?? (await this.#pull(source, name, say, signal));
      touchImage(this.#options.folder, key);
      return { image, release };
    } catch (error) {
      release();
      throw error;
    }
  }

  /** Deletes the longest unused images until the rest fits. @returns how many were deleted */
  collect(mostBytes = this.#options.mostBytes): number {
    const kept = this.#kept();
    const victims = imagesToDelete(listImages(this.#options.folder, kept), kept, mostBytes);
    for (const key of victims) {
      failpoint('image.before-delete');
      // Renamed first: an image that is half deleted must not look whole.
      const doomed = this.#incoming(`deleted-${key}`);
      renameSync(join(this.#options.folder, key), doomed);
      removeTree(doomed);
    }
    return victims.length;
  }

  #kept(): Set<string> {
    return new Set([...this.#options.inUse(), ...this.#pins.keys()]);
  }

  #pin(key: string): () => void {
    this.#pins.set(key, (this.#pins.get(key) ?? 0) + 1);
    let released = false;
    return () => {
      if (released) return;
      released = true;
      const left = this.#pins.get(key)! - 1;
      if (left > 0) this.#pins.set(key, left);
      else this.#pins.delete(key);
    };
  }

  async #pull(
    source: ImageSource,
    name: string,
    say: (progress: string) => void,
    signal: AbortSignal,
  ): Promise<StoredImage> {
    let pull = this.#pulls.get(source.key);
    if (pull === undefined) {
      const listeners = new Set<(progress: string) => void>();
      const controller = new AbortController();
      const tell = (progress: string) => {
        for (const listener of listeners) listener(progress);
      };
      const result = this.#bring(source, name, tell, controller.signal).finally(() => this.#pulls.delete(source.key));
      result.catch(() => undefined);
      pull = { result, listeners, controller };
      this.#pulls.set(source.key, pull);
    }
    pull.listeners.add(say);
    try {
      return await Promise.race([pull.result, givenUp(signal)]);
    } finally {
      pull.listeners.delete(say);
      if (pull.listeners.size === 0) pull.controller.abort();
    }
  }

  async #bring(
    source: ImageSource,
    name: string,
    say: (progress: string) => void,
    unwanted: AbortSignal,
  ): Promise<StoredImage> {
    const { folder: images, mostBytes, pullMs, ids, nodeBinary } = this.#options;
    const folder = this.#incoming(source.key);
    rmSync(folder, { recursive: true, force: true });
    mkdirSync(join(folder, 'parts'), { recursive: true, mode: 0o700 });
    const signal = AbortSignal.any([AbortSignal.timeout(pullMs), unwanted]);
    try {
      failpoint('image.before-pull');
      const kept = this.#kept();
      const held = this.list()
        .filter(({ key }) => kept.has(key))
        .reduce((sum, image) => sum + image.sizeBytes, 0);
      const room = mostBytes - held;
      if (room <= 0) throw new PullError('image_no_space', 'images that are in use take all the room for images');
      const fetched = await source.fetch({ folder: join(folder, 'parts'), mostBytes: room, signal, say });
      failpoint('image.before-unpack');
      const target = join(folder, 'image');
      mkdirSync(target, { mode: 0o700 });
      const what = fetched.kind === 'folder' ? fetched : ({ kind: 'layers', layers: fetched.layers } as const);
      const config = fetched.kind === 'folder' ? bareConfig : imageConfigOf(imageConfigSchema.parse(fetched.config));
      const folders = [config.workingDirectory];
      const task = { target: join(target, 'rootfs'), ids, mostBytes: room, folders, source: what };
      say('unpacking the image');
      const sizeBytes = await unpackImage(
        task,
        nodeBinary,
        (bytes) => say(`unpacking the image: ${Math.floor(bytes / 2 ** 20)} MiB`),
        signal,
      );
      writeRecord(target, { name, sizeBytes, isPublic: source.isPublic, config });
      failpoint('image.before-commit');
      rmSync(join(images, source.key), { recursive: true, force: true });
      renameSync(target, join(images, source.key));
      this.collect();
      return readImage(images, source.key)!;
    } catch (error) {
      throw asPullError(error, signal, pullMs);
    } finally {
      removeTree(folder);
    }
  }

  #incoming(name: string): string {
    const folder = join(this.#options.folder, 'incoming');
    mkdirSync(folder, { recursive: true, mode: 0o700 });
    return join(folder, name);
  }
}

function givenUp(signal: AbortSignal): Promise<never> {
  return new Promise((_, reject) => {
    const give = () => reject(new PullError('image_timeout', 'it was given up'));
    if (signal.aborted) give();
    else signal.addEventListener('abort', give, { once: true });
  });
}

function asPullError(error: unknown, signal: AbortSignal, pullMs: number): unknown {
  if (error instanceof PullError) return error;
  if (signal.aborted) {
    return new PullError('image_timeout', `it was not here after ${Math.round(pullMs / 1000)} s`, { cause: error });
  }
  const code = (error as NodeJS.ErrnoException).code;
  if (code === 'ENOSPC' || code === 'EDQUOT') {
    return new PullError('image_no_space', 'the disk of this node is full', { cause: error });
  }
  return error;
}
