/**
 * Carries what a rank writes to its checkpoint folder to the control plane, while it runs and once more at its end.
 *
 * A file counts when its name neither starts with "." nor ends in ".tmp" and it looked the same in two scans, so a job
 * that writes to a temporary name and renames is never caught half way. A file that is being rewritten keeps its last
 * stored content. Only changed files are read; then one fenced call makes the new manifest the job's checkpoint.
 */
import { type ChunkSink, scanTree, storeFile, storeManifest, type TreeFile } from '../../common/blobs/index.ts';
import type { Manifest } from '../../common/contract/agent/protocol.ts';

export interface ManifestTarget extends ChunkSink {
  /** Makes an uploaded manifest count. */
  commit(manifestHash: string): Promise<void>;
}

interface StoredFile {
  readonly file: TreeFile;
  readonly chunks: string[];
}

const belongs = (name: string): boolean => !name.startsWith('.') && !name.endsWith('.tmp');

export class CheckpointCollector {
  readonly #root: string;
  readonly #target: ManifestTarget;
  #seen = new Map<string, string>();
  #stored = new Map<string, StoredFile>();
  #committed = '';

  constructor(root: string, target: ManifestTarget) {
    this.#root = root;
    this.#target = target;
  }

  /**
   * One round. Cheap when nothing changed.
   *
   * @param hasEnded nobody writes any more, so every file is taken as it is
   * @returns whether a new manifest was committed
   * @throws ControlPlaneAway, SolyxError `stale_token`, `job_final`, `manifest_invalid` (too many files), `disk_full`
   */
  async collect(hasEnded: boolean): Promise<boolean> {
    const files = await scanTree(this.#root, belongs);
    const before = this.#seen;
    this.#seen = new Map(files.map((file) => [file.path, file.version]));
    const kept = new Map<string, StoredFile>();
    for (const file of files) {
      const known = this.#stored.get(file.path);
      const settled = hasEnded || before.get(file.path) === file.version;
      const chunks =
        known?.file.version === file.version
          ? known.chunks
          : settled
            ? await storeFile(this.#root, file, this.#target)
            : undefined;
      if (chunks !== undefined) kept.set(file.path, { file, chunks });
      else if (known !== undefined) kept.set(file.path, known);
    }
    this.#stored = kept;
    const entries = manifestEntries(kept.values());
    const text = JSON.stringify(entries);
    if (entries.length === 0 || text === this.#committed) return false;
    await this.#target.commit(await storeManifest(entries, this.#target));
    this.#committed = text;
    return true;
  }
}

/** A folder, and which paths in it are to be kept with all below them; null: all. */
export interface ArtifactRoot {
  readonly root: string;
  readonly only: readonly string[] | null;
}

/** Stores the given files of some folders as one manifest. @returns its hash, or undefined without any file */
export async function storeArtifacts(
  roots: readonly ArtifactRoot[],
  sink: ChunkSink,
): Promise<{ hash: string | undefined; skipped: number }> {
  const stored = new Map<string, StoredFile>();
  let skipped = 0;
  for (const { root, only } of roots) {
    const isIn = (path: string) => only === null || only.some((kept) => path === kept || path.startsWith(`${kept}/`));
    // What was not asked for is not even looked through: a working directory may hold more files than a tree may.
    const leadsTo = (path: string) => isIn(path) || only?.some((kept) => kept.startsWith(`${path}/`)) === true;
    for (const file of await scanTree(root, (_name, path) => leadsTo(path))) {
      if (!isIn(file.path)) continue;
      const chunks = await storeFile(root, file, sink);
      if (chunks === undefined) skipped += 1;
      else stored.set(file.path, { file, chunks });
    }
  }
  const entries = manifestEntries(stored.values());
  return { hash: entries.length === 0 ? undefined : await storeManifest(entries, sink), skipped };
}

function manifestEntries(stored: Iterable<StoredFile>): Manifest['files'] {
  return [...stored].map(({ file, chunks }) => ({
    path: file.path,
    sizeBytes: file.sizeBytes,
    mode: file.mode,
    chunks,
  }));
}
