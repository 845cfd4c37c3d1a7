export { type BlobInfo, type BlobStore, hashOf, isBlobHash, type PutOptions } from './blob-store.ts';
export { type Collected, type CollectOptions, collectBlobs, collectStray } from './collect.ts';
export { openDirectoryStore } from './directory-store.ts';
export { holdBlobs, ownBlobs } from './ownership.ts';
export {
  type ChunkSink,
  type ChunkSource,
  isSafePath,
  maxTreeFiles,
  parseManifest,
  readAll,
  restoreTree,
  scanTree,
  storeFile,
  storeManifest,
  type TreeFile,
} from './tree.ts';
