/**
 * Where an image comes from. One interface for a registry, an uploaded archive and what lies on the node: name the image
 * first, by a key that stands for its content, and only if this node lacks it bring its parts.
 */
import type { ImageParts } from './layout.ts';

export interface RegistryCredentials {
  readonly username: string;
  readonly password: string;
}

export interface Fetching {
  /** An empty folder of one's own; deleted afterwards. */
  readonly folder: string;
  /** Most bytes that may be written there, > 0. */
  readonly mostBytes: number;
  readonly signal: AbortSignal;
  /** Tells people how far it is. */
  readonly say: (progress: string) => void;
}

/** What is to become the root file system. */
export type Fetched = ({ readonly kind: 'layers' } & ImageParts) | { readonly kind: 'folder'; readonly path: string };

export interface ImageSource {
  /** Name of the content, made of lower-case letters, digits and `-`: two images with one key are the same. */
  readonly key: string;
  /** Anybody may have it: no credentials were shown for it. */
  readonly isPublic: boolean;
  /** @throws PullError */
  fetch(fetching: Fetching): Promise<Fetched>;
}
