/**
 * Writes the entries of an image's layers into a folder that becomes a root file system.
 *
 * Layers are hostile: paths that climb, links that point out and are then written through, devices, set-uid programs, a
 * small archive of a huge file. So no path is handed to the kernel before `resolveInside` took its links apart, devices
 * and set-uid bits are left out (a job has no use for them), and bytes and files are counted before they are written.
 * Later layers change earlier ones as the OCI image-spec (layer.md) says: a `.wh.` entry deletes, an opaque one empties.
 * A folder gets its mode last, or a read-only one could not be filled.
 */
import {
  chmodSync,
  closeSync,
  constants,
  copyFileSync,
  futimesSync,
  lchownSync,
  linkSync,
  lstatSync,
  mkdirSync,
  openSync,
  readdirSync,
  readlinkSync,
  rmSync,
  symlinkSync,
  writeSync,
} from 'node:fs';
import { basename, dirname, join, relative } from 'node:path';
import { hostId, type IdRange } from '../isolation/container/id-range.ts';
import { resolveInside } from './inside.ts';
import { PullError } from './pull-error.ts';

const mostEntries = 2_000_000;
/** What an empty file costs, bytes, so that a layer of a million of them is not free. */
const entryBytes = 512;

export interface LayerEntry {
  readonly kind: 'file' | 'directory' | 'symlink' | 'hardlink' | 'other';
  readonly path: string;
  readonly mode: number;
  readonly uid: number;
  readonly gid: number;
  readonly sizeBytes: number;
  readonly mtime: Date | undefined;
  /** Of links. */
  readonly target: string;
}

export interface FileSink {
  write(bytes: Uint8Array): void;
  close(): void;
}

export class RootWriter {
  readonly #root: string;
  readonly #ids: IdRange | null;
  readonly #mostBytes: number;
  readonly #modes = new Map<string, number>();
  #written = new Set<string>();
  #bytes = 0;
  #entries = 0;

  /**
   * @param root an empty folder
   * @param options.ids into which the owners of all files are shifted; null: everything belongs to whoever writes
   * @param options.mostBytes all files together, > 0
   */
  constructor(root: string, options: { ids: IdRange | null; mostBytes: number }) {
    this.#root = root;
    this.#ids = options.ids;
    this.#mostBytes = options.mostBytes;
    chmodSync(root, 0o755);
    this.#own(root, 0, 0);
  }

  /** Bytes of all files written so far. */
  get bytes(): number {
    return this.#bytes;
  }

  /** From here on entries are of the next layer. */
  beginLayer(): void {
    this.#written = new Set();
  }

  /** @returns where the bytes of a file go; undefined for anything else */
  add(entry: LayerEntry): FileSink | undefined {
    this.#count(entry);
    const name = basename(entry.path.replace(/\/+$/, ''));
    if (entry.path.includes('\0')) throw new PullError('image_invalid', 'a layer holds a path with NUL');
    if (name.startsWith('.wh.')) {
      this.#whiteout(entry.path, name);
      return undefined;
    }
    const path = resolveInside(this.#root, entry.path, false);
    if (path === this.#root) {
      if (entry.kind === 'directory') this.#modes.set(path, entry.mode | 0o555);
      return undefined;
    }
    this.#makeParents(dirname(path));
    this.#written.add(path);
    switch (entry.kind) {
      case 'directory':
        this.#makeDirectory(path, entry);
        return undefined;
      case 'symlink':
        this.#clear(path);
        symlinkSync(entry.target, path);
        this.#own(path, entry.uid, entry.gid);
        return undefined;
      case 'hardlink':
        this.#link(path, entry);
        return undefined;
      case 'file':
        return this.#openFile(path, entry);
      case 'other':
        return undefined;
    }
  }

  /** Copies a folder tree as it is: links are copied, never followed; devices, pipes and sockets are left out. */
  copyTree(source: string, below = ''): void {
    for (const name of readdirSync(join(source, below))) {
      const path = join(below, name);
      const stat = lstatSync(join(source, path));
      const kind = stat.isDirectory() ? 'directory' : stat.isSymbolicLink() ? 'symlink' : 'file';
      if (kind === 'file' && !stat.isFile()) continue;
      const target = kind === 'symlink' ? readlinkSync(join(source, path)) : '';
      const { mode, uid, gid, size, mtime } = stat;
      const entry = { kind, path, mode: mode & 0o7777, uid, gid, sizeBytes: size, mtime, target } as const;
      if (kind !== 'file') this.add(entry);
      else {
        this.#count(entry);
        const copy = join(this.#root, path);
        copyFileSync(join(source, path), copy, constants.COPYFILE_FICLONE);
        this.#bytes += size;
        this.#own(copy, uid, gid);
        chmodSync(copy, this.#fileMode(entry.mode));
      }
      if (kind === 'directory') this.copyTree(source, path);
    }
  }

  /** Makes a folder or an empty file that later is mounted over, unless it is there. */
  ensure(path: string, kind: 'directory' | 'file'): void {
    const place = resolveInside(this.#root, path, true);
    if (lstatSync(place, { throwIfNoEntry: false }) !== undefined) return;
    this.#makeParents(kind === 'directory' ? place : dirname(place));
    if (path === '/tmp') chmodSync(place, 0o1777);
    if (kind === 'file') {
      closeSync(openSync(place, constants.O_CREAT | constants.O_EXCL | constants.O_WRONLY, 0o644));
      this.#own(place, 0, 0);
    }
  }

  /** Sets the modes of folders; call once, at the end. */
  finish(): void {
    // Deepest first: afterwards an agent that is not root may not enter a folder any more.
    for (const [path, mode] of [...this.#modes].sort(([a], [b]) => b.length - a.length)) {
      if (lstatSync(path, { throwIfNoEntry: false })?.isDirectory())
        chmodSync(path, (mode & 0o1777) | (this.#ids === null ? 0o700 : 0));
    }
  }

  #count(entry: LayerEntry): void {
    this.#entries += 1;
    const bytes = this.#bytes + this.#entries * entryBytes + (entry.kind === 'file' ? entry.sizeBytes : 0);
    if (bytes > this.#mostBytes) {
      throw new PullError(
        'image_too_large',
        `unpacked it takes more than the ${this.#mostBytes} bytes left for images`,
      );
    }
    if (this.#entries > mostEntries) throw new PullError('image_too_large', `it holds more than ${mostEntries} files`);
  }

  #openFile(path: string, entry: LayerEntry): FileSink {
    this.#clear(path);
    const file = openSync(
      path,
      constants.O_CREAT | constants.O_EXCL | constants.O_WRONLY | constants.O_NOFOLLOW,
      0o600,
    );
    return {
      write: (bytes) => {
        this.#bytes += bytes.length;
        for (let at = 0; at < bytes.length; ) at += writeSync(file, bytes, at);
      },
      close: () => {
        if (entry.mtime !== undefined) futimesSync(file, entry.mtime, entry.mtime);
        closeSync(file);
        this.#own(path, entry.uid, entry.gid);
        chmodSync(path, this.#fileMode(entry.mode));
      },
    };
  }

  /** Without set-uid and set-gid; readable to us where it cannot belong to anybody else. */
  #fileMode(mode: number): number {
    return (mode & 0o777) | (this.#ids === null ? 0o400 : 0);
  }

  #makeDirectory(path: string, entry: LayerEntry): void {
    if (!lstatSync(path, { throwIfNoEntry: false })?.isDirectory()) {
      this.#clear(path);
      mkdirSync(path, { mode: 0o755 });
    }
    this.#own(path, entry.uid, entry.gid);
    this.#modes.set(path, entry.mode);
  }

  #link(path: string, entry: LayerEntry): void {
    const target = resolveInside(this.#root, entry.target, false);
    const stat = lstatSync(target, { throwIfNoEntry: false });
    if (stat === undefined || stat.isDirectory()) {
      throw new PullError('image_invalid', `the link "${entry.path}" points to "${entry.target}", which is no file`);
    }
    if (target === path) return;
    this.#clear(path);
    linkSync(target, path);
  }

  #whiteout(path: string, name: string): void {
    const parent = resolveInside(this.#root, dirname(path), true);
    if (name === '.wh..wh..opq') {
      for (const child of this.#childrenOf(parent)) if (!this.#written.has(child)) this.#clear(child);
      return;
    }
    const hidden = name.slice('.wh.'.length);
    if (hidden === '' || hidden === '.' || hidden === '..') return;
    const place = join(parent, hidden);
    if (!this.#written.has(place)) this.#clear(place);
  }

  #childrenOf(folder: string): string[] {
    try {
      return readdirSync(folder).map((name) => join(folder, name));
    } catch {
      return [];
    }
  }

  #makeParents(path: string): void {
    const missing: string[] = [];
    for (let at = path; at !== this.#root; at = dirname(at)) {
      const stat = lstatSync(at, { throwIfNoEntry: false });
      if (stat?.isDirectory()) break;
      if (stat !== undefined) rmSync(at);
      missing.push(at);
    }
    for (const folder of missing.reverse()) {
      mkdirSync(folder, { mode: 0o755 });
      this.#own(folder, 0, 0);
      this.#written.add(folder);
    }
  }

  #clear(path: string): void {
    if (relative(this.#root, path).startsWith('..')) throw new Error(`${path} lies outside`);
    rmSync(path, { recursive: true, force: true });
  }

  #own(path: string, uid: number, gid: number): void {
    if (this.#ids !== null) lchownSync(path, hostId(this.#ids, uid), hostId(this.#ids, gid));
  }
}
