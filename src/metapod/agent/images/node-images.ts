/** What images are to a node: its store, what its operator allows, and the way from a job's wish to a folder. */
import { join } from 'node:path';
import { parseImage } from '../../../common/contract/image.ts';
import type { ControlPlane } from '../control-plane.ts';
import type { IdRange } from '../isolation/container/id-range.ts';
import type { StoredImage } from './image-folder.ts';
import { nodeSource, unpackArchive } from './node-source.ts';
import { PullError } from './pull-error.ts';
import { registrySource } from './registry-source.ts';
import type { ImageSource, RegistryCredentials } from './source.ts';
import { ImageStore } from './store.ts';

export interface ImageOptions {
  /** Folders of this node below which `rootfs:` and `node-archive:` images may lie; default none. */
  readonly folders: readonly string[];
  /** Registries, `host` or `host:port`, that are trusted without encryption and at any address; default none. */
  readonly insecureRegistries: readonly string[];
  /** All images together, bytes. */
  readonly mostBytes: number;
  /** Longest time for bringing one image, seconds. */
  readonly pullSeconds: number;
}

export const defaultImageOptions: ImageOptions = {
  folders: [],
  insecureRegistries: [],
  mostBytes: 50 * 2 ** 30,
  pullSeconds: 1_800,
};

export interface TakenImage {
  readonly image: StoredImage;
  /** Call when the launch that names the image is on disk. */
  readonly release: () => void;
}

export class NodeImages {
  readonly store: ImageStore;
  readonly #options: ImageOptions;
  readonly #controlPlane: ControlPlane;

  constructor(
    dataDir: string,
    options: ImageOptions,
    parts: {
      readonly controlPlane: ControlPlane;
      readonly ids: IdRange | null;
      readonly nodeBinary: string;
      readonly inUse: () => ReadonlySet<string>;
    },
  ) {
    this.#options = options;
    this.#controlPlane = parts.controlPlane;
    this.store = new ImageStore({
      folder: join(dataDir, 'images'),
      mostBytes: options.mostBytes,
      pullMs: options.pullSeconds * 1000,
      ids: parts.ids,
      nodeBinary: parts.nodeBinary,
      inUse: parts.inUse,
    });
  }

  /**
   * @param name as the job's spec has it on the wire
   * @param credentials asked for only when a registry is
   * @param say told about progress, in words
   * @param signal gives up
   * @throws PullError; ControlPlaneAway; Error with code ENOSPC
   */
  async take(
    name: string,
    credentials: () => Promise<RegistryCredentials | null>,
    say: (progress: string) => void,
    signal: AbortSignal,
  ): Promise<TakenImage> {
    let source: ImageSource;
    try {
      source = await this.#source(name, credentials, say, signal);
    } catch (error) {
      const kept = error instanceof PullError && error.isPassing ? this.#meantLast(name) : undefined;
      if (kept === undefined) throw error;
      say(`${error instanceof Error ? error.message : ''}; the image that the name meant last is used`);
      source = kept;
    }
    return this.store.take(source, name, say, signal);
  }

  async #source(
    name: string,
    credentials: () => Promise<RegistryCredentials | null>,
    say: (progress: string) => void,
    signal: AbortSignal,
  ): Promise<ImageSource> {
    const reference = parseImage(name);
    switch (reference.kind) {
      case 'bad':
        throw new PullError('image_invalid', reference.why);
      case 'archive-to-upload':
        throw new PullError('image_invalid', `${name} was not uploaded`);
      case 'upload':
        return this.#uploaded(reference.sha256);
      case 'rootfs':
      case 'node-archive':
        return nodeSource(reference.kind, reference.path, this.#options.folders);
      case 'registry': {
        say(`asking ${reference.host} for the image`);
        return registrySource(reference, {
          credentials: await credentials(),
          insecure: this.#options.insecureRegistries,
          signal: AbortSignal.any([AbortSignal.timeout(this.#options.pullSeconds * 1000), signal]),
        });
      }
    }
  }

  #uploaded(sha256: string): ImageSource {
    const open = async () => {
      const stream = await this.#controlPlane.get(sha256);
      if (stream === undefined) throw new PullError('image_not_found', 'the uploaded archive does not exist any more');
      return stream;
    };
    return { key: `upload-${sha256}`, isPublic: false, fetch: (fetching) => unpackArchive(open, fetching) };
  }

  /**
   * The image of a registry that was brought last under this very name. One that came with credentials is given to nobody
   * whose own the registry has not seen.
   */
  #meantLast(name: string): ImageSource | undefined {
    const found = this.store
      .list()
      .filter((image) => image.isPublic && image.name === name)
      .sort((a, b) => b.usedAt.getTime() - a.usedAt.getTime())[0];
    if (found === undefined) return undefined;
    const refuse = () => Promise.reject(new PullError('image_unreachable', 'it was deleted meanwhile'));
    return { key: found.key, isPublic: true, fetch: refuse };
  }
}
