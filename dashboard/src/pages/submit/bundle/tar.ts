/**
 * Writes a tar archive in the browser: a working directory as the server takes it.
 *
 * POSIX ustar with pax headers for names that do not fit, regular files only. Folders, times and owners are left out, so equal
 * files give equal bytes and are uploaded once.
 */

export interface BundleFile {
  /** Path inside the folder, with `/`. */
  readonly path: string;
  readonly bytes: Uint8Array;
}

const blockBytes = 512;
const encoder = new TextEncoder();

/** Why a path cannot be sent; undefined when it can. */
export function faultOfPath(path: string): string | undefined {
  if (path === '' || path.startsWith('/')) return 'is no path inside the folder';
  if (path.includes('\0') || !path.isWellFormed()) return 'has a name that no file system takes';
  if (path.split('/').some((part) => part === '' || part === '.' || part === '..')) return 'leads out of the folder';
  return undefined;
}

/**
 * Writes an archive, sorted by path.
 * @throws Error for a path that leads out of the folder, or two files of one path
 */
export function writeTar(files: readonly BundleFile[]): Uint8Array<ArrayBuffer> {
  const sorted = [...files].sort((a, b) => (a.path < b.path ? -1 : 1));
  const parts: Uint8Array[] = [];
  sorted.forEach(({ path, bytes }, index) => {
    const fault = faultOfPath(path);
    if (fault !== undefined) throw new Error(`${path} ${fault}.`);
    if (sorted[index - 1]?.path === path) throw new Error(`${path} is there twice.`);
    const name = encoder.encode(path);
    // Eight-bit names and long ones are only unambiguous in a pax header.
    if (name.length > 100 || name.length !== path.length) {
      const record = paxRecord('path', path);
      parts.push(header('PaxHeader', record.length, 'x'), padded(record));
    }
    const short = name.length === path.length ? path.slice(-100) : `file-${index}`;
    parts.push(header(short, bytes.length, '0'), padded(bytes));
  });
  parts.push(new Uint8Array(2 * blockBytes));
  const archive = new Uint8Array(parts.reduce((sum, part) => sum + part.length, 0));
  let at = 0;
  for (const part of parts) {
    archive.set(part, at);
    at += part.length;
  }
  return archive;
}

function header(name: string, size: number, type: '0' | 'x'): Uint8Array {
  const block = new Uint8Array(blockBytes);
  const put = (text: string, at: number) => block.set(encoder.encode(text), at);
  const octal = (value: number, digits: number) => value.toString(8).padStart(digits, '0');
  put(name, 0);
  put(`${octal(0o644, 7)}\0`, 100);
  put(`${octal(0, 7)}\0`, 108);
  put(`${octal(0, 7)}\0`, 116);
  put(`${octal(size, 11)}\0`, 124);
  put(`${octal(0, 11)}\0`, 136);
  put('        ', 148);
  put(type, 156);
  put('ustar\0', 257);
  put('00', 263);
  const sum = block.reduce((total, byte) => total + byte, 0);
  put(`${octal(sum, 6)}\0 `, 148);
  return block;
}

/** `<length> <key>=<value>\n`, where the length counts itself. */
function paxRecord(key: string, value: string): Uint8Array {
  const rest = encoder.encode(` ${key}=${value}\n`).length;
  let length = rest + 1;
  while (rest + String(length).length !== length) length = rest + String(length).length;
  return encoder.encode(`${length} ${key}=${value}\n`);
}

function padded(bytes: Uint8Array): Uint8Array {
  const block = new Uint8Array(Math.ceil(bytes.length / blockBytes) * blockBytes);
  block.set(bytes);
  return block;
}
