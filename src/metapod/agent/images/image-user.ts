/** Which numbers an image's `USER` means, by the image's own passwd and group files (hostile: read inside, and bounded). */
import { closeSync, constants, fstatSync, openSync, readSync } from 'node:fs';
import { resolveInside } from './inside.ts';
import { PullError } from './pull-error.ts';

export interface ImageUser {
  readonly uid: number;
  readonly gid: number;
  readonly groups: readonly number[];
}

const mostBytes = 1_048_576;
/** Numbers that a mapping of 65536 can show. */
const mostId = 65_535;

/**
 * @param user as the image says it: empty (root), `name`, `uid`, `name:group` or `uid:gid`
 * @throws PullError `image_no_user` when the image does not know the name, or a number is not to be mapped
 */
export function resolveUser(root: string, user: string): ImageUser {
  const [who = '', group] = user.split(':');
  const accounts = table(root, '/etc/passwd');
  const groups = table(root, '/etc/group');
  const wanted = who === '' ? '0' : who;
  const account = accounts.find((row) => row[0] === wanted || row[2] === wanted);
  const uid = number(account?.[2] ?? wanted, `user "${wanted}"`);
  const named = group === undefined ? undefined : (groups.find((row) => row[0] === group)?.[2] ?? group);
  const gid = number(named ?? account?.[3] ?? '0', `group "${group ?? ''}"`);
  const name = account?.[0];
  const further =
    group !== undefined || name === undefined
      ? []
      : groups.filter((row) => row[3]?.split(',').includes(name) && isId(row[2])).map((row) => Number(row[2]));
  return { uid, gid, groups: [...new Set(further)].filter((id) => id !== gid).slice(0, 64) };
}

const isId = (text: string | undefined): text is string =>
  text !== undefined && /^\d{1,6}$/.test(text) && Number(text) <= mostId;

function number(text: string, what: string): number {
  if (isId(text)) return Number(text);
  if (/^\d+$/.test(text)) throw new PullError('image_no_user', `its ${what} is beyond ${mostId}`);
  throw new PullError('image_no_user', `it does not know its own ${what}`);
}

function table(root: string, path: string): string[][] {
  let file: number;
  try {
    file = openSync(resolveInside(root, path, true), constants.O_RDONLY | constants.O_NOFOLLOW | constants.O_NONBLOCK);
  } catch {
    return [];
  }
  try {
    if (!fstatSync(file).isFile()) return [];
    const bytes = Buffer.alloc(mostBytes);
    const length = readSync(file, bytes, 0, mostBytes, 0);
    return bytes
      .toString('utf8', 0, length)
      .split('\n')
      .map((line) => line.split(':'));
  } finally {
    closeSync(file);
  }
}
