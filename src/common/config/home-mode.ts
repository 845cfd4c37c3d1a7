/**
 * Who may look into the data directory: its user alone.
 *
 * What the product writes has modes of its own, but a folder that was made beforehand (`mkdir`, a volume, a package) is
 * often open to all. It is closed at the start where it is plainly the product's: the user's own, and with nothing in it that the
 * product has not put there. A user's home, a shared folder or one with foreign files is left as it is, for others may need it so;
 * then somebody is told.
 */
import { chmodSync, mkdirSync, readdirSync, realpathSync, statSync } from 'node:fs';
import { homedir, tmpdir } from 'node:os';

/** What the product puts into its data directory, each also with an ending (`.tmp`, `-journal`, `.json`). */
const ownNames = [
  'admin.key',
  'agent',
  'agent-started.json',
  'blobs',
  'ending.json',
  'engine',
  'home.lock',
  'login.json',
  'logs',
  'open.html',
  'postgres',
  '.postgres-new',
  'run',
  'secrets.key',
  'server.json',
  'solyx.yaml',
];

/** Most foreign names that are told. */
const mostTold = 3;

export type HomeMode =
  | { readonly kind: 'private' }
  /** It was open to others until now. */
  | { readonly kind: 'closed'; readonly before: string }
  /** It is open to others and not ours alone to close; `why` is a sentence. */
  | { readonly kind: 'open'; readonly mode: string; readonly why: string };

/**
 * Makes the data directory if it is missing, and closes it to others where it is the product's own.
 * @param home as `solyxHome` says
 */
export function claimHome(home: string): HomeMode {
  mkdirSync(home, { recursive: true, mode: 0o700 });
  const found = homeMode(home);
  if (found.kind !== 'closed') return found;
  chmodSync(home, 0o700);
  return found;
}

/** The same without doing anything: `closed` is what the next start would close. @throws what stat throws */
export function homeMode(home: string): HomeMode {
  const { uid, mode } = statSync(home);
  if ((mode & 0o077) === 0) return { kind: 'private' };
  const text = (mode & 0o7777).toString(8);
  const why = reasonToLeave(home, uid, mode);
  return why === null ? { kind: 'closed', before: text } : { kind: 'open', mode: text, why };
}

function reasonToLeave(home: string, uid: number, mode: number): string | null {
  if (uid !== (process.getuid?.() ?? uid)) return 'It belongs to another user.';
  const path = realpathSync(home);
  const shared = ['/', tmpdir(), homedir(), process.env.HOME || '/'].map((folder) => resolved(folder));
  if (shared.includes(path) || (mode & 0o1000) !== 0) return 'It is no folder of its own.';
  const foreign = readdirSync(path).filter((name) => !isOwn(name));
  if (foreign.length === 0) return null;
  const more = foreign.length > mostTold ? ` and ${foreign.length - mostTold} more` : '';
  return `It holds what is not of Solyx: ${foreign.sort().slice(0, mostTold).join(', ')}${more}.`;
}

const isOwn = (name: string): boolean =>
  ownNames.some((own) => name === own || name.startsWith(`${own}.`) || name.startsWith(`${own}-`));

function resolved(folder: string): string {
  try {
    return realpathSync(folder);
  } catch {
    return folder;
  }
}
