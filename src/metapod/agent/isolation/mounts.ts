/**
 * What is mounted where, and the lines by which `mount --all` builds a sandbox.
 *
 * Inside a user namespace the kernel locks what it inherited: a bind mount must keep `noexec` of its source,
 * and a directory with mounts below it can only be bound together with them. Both are read from mountinfo.
 */
import { readFileSync } from 'node:fs';

export interface Mount {
  /** Path inside its file system that is shown; `/` unless it is a bind mount. */
  root: string;
  target: string;
  options: string[];
  type: string;
  superOptions: string[];
}

const decode = (text: string) =>
  text.replace(/\\([0-7]{3})/g, (_, code: string) => String.fromCharCode(Number.parseInt(code, 8)));

/** Parses /proc/<pid>/mountinfo (proc(5)); later lines lie on top of earlier ones. */
export function parseMountinfo(text: string): Mount[] {
  return text
    .split('\n')
    .filter((line) => line !== '')
    .map((line) => {
      const fields = line.split(' ');
      const dash = fields.indexOf('-', 6);
      return {
        root: decode(fields[3] ?? ''),
        target: decode(fields[4] ?? ''),
        options: (fields[5] ?? '').split(','),
        type: fields[dash + 1] ?? '',
        superOptions: (fields[dash + 3] ?? '').split(','),
      };
    });
}

export const readMounts = () => parseMountinfo(readFileSync('/proc/self/mountinfo', 'utf8'));

const covers = (target: string, path: string) => target === '/' || path === target || path.startsWith(`${target}/`);

/** Mount points strictly below a path, outermost first. */
export const mountsBelow = (path: string, mounts: readonly Mount[]) =>
  mounts.filter((mount) => mount.target !== path && covers(path, mount.target)).map((mount) => mount.target);

/** One fstab line; spaces and the like as fstab(5) wants them. */
export function fstabLine(source: string, target: string, type: string, options: string): string {
  const encode = (text: string) =>
    text.replace(/[\s\\#]/g, (char) => `\\${char.charCodeAt(0).toString(8).padStart(3, '0')}`);
  return `${encode(source)} ${encode(target)} ${type} ${options} 0 0`;
}

/**
 * Lines that show `source` at `target`. Options beyond `bind` hold for the mount and for each one below it.
 */
export function bindLines(source: string, target: string, options: string, mounts: readonly Mount[]): string[] {
  const holder = mounts
    .filter((mount) => covers(mount.target, source))
    .sort((a, b) => a.target.length - b.target.length);
  const inherited = holder.at(-1)?.options.includes('noexec') === true && !options.includes('noexec') ? ',noexec' : '';
  const below = mountsBelow(source, mounts);
  if (below.length === 0) return [fstabLine(source, target, 'none', `bind,${options}${inherited}`)];
  // `ro` reaches only the top of a recursive bind, so each mount below is bound once more with the options.
  return [
    fstabLine(source, target, 'none', `rbind,${options}${inherited}`),
    ...[...new Set(below)].flatMap((path) =>
      fstabLine(path, `${target}${path.slice(source === '/' ? 0 : source.length)}`, 'none', `rbind,${options}`),
    ),
  ];
}
