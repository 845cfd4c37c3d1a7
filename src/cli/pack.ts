/**
 * Folders of this machine as tar archives that any tar takes: plain files, folders and symbolic links.
 *
 * A file that has a second name is written in full under each. The library would write the second as a hard link, which
 * whoever unpacks hostile archives refuses, and it ends its stream twice when such a link comes last ("write after end",
 * thrown out of a callback of the file system, where nobody can catch it). What runs as somebody else (set-uid, set-gid)
 * stays behind: the one who unpacks is not the one who packed.
 */
import { Stats } from 'node:fs';
import { PassThrough, type Readable } from 'node:stream';
import { create } from 'tar';

const special = 0o7000;

export interface PackOptions {
  /** Without times, so that equal files are equal bytes. */
  readonly noMtime?: boolean;
  readonly gzip?: { readonly level: number };
  /** Folders are entries, and what is in them is named by itself. */
  readonly noDirRecurse?: boolean;
  /** Whether an entry is taken; everything is without it. */
  readonly filter?: (path: string, stat: Stats) => boolean;
}

/**
 * Packs entries of a folder.
 * @param names relative to the folder, at least one
 * @returns the archive; what cannot be read is an error of this stream
 */
export function packTar(folder: string, names: readonly string[], { filter, ...options }: PackOptions = {}): Readable {
  const archive = new PassThrough({ highWaterMark: 2 ** 18 });
  // Called from within the library, which lets nobody catch what is thrown there.
  const wanted = (path: string, stat: Stats): boolean => {
    try {
      return filter?.(path, stat) !== false;
    } catch (error) {
      archive.destroy(error as Error);
      return false;
    }
  };
  const pack = create(
    {
      ...options,
      cwd: folder,
      portable: true,
      filter: (path, stat) => {
        if (!(stat instanceof Stats) || !wanted(path, stat)) return false;
        // The library looks at this very object again when it writes the entry.
        if (stat.isFile()) stat.nlink = 1;
        stat.mode &= ~special;
        return true;
      },
      // Of folders it leaves out the time, which then reads as 1970.
      onWriteEntry: (entry) => {
        if (entry.type === 'Directory') entry.noMtime = options.noMtime === true;
      },
    },
    [...names],
  );
  pack.on('error', (error: unknown) => void archive.destroy(error as Error));
  pack.pipe(archive);
  return archive;
}
