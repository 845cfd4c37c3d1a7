/**
 * The file of key-encryption keys: what opens everything, and therefore lies beside the database and never in it.
 *
 * One key a line, `solyx-kek-1 <64 hexadecimal digits>`; the first one seals, all of them open. That is what makes a rotation
 * possible without a pause: the new key comes first, the old one stays below it until nothing needs it. Servers read the file
 * again whenever it has changed, so one that another server (or the operator) has put a new key into is noticed at the next use.
 */
import { randomBytes } from 'node:crypto';
import { readFileSync, statSync } from 'node:fs';
import { link, rm } from 'node:fs/promises';
import { SolyxError } from '../errors/index.ts';
import { replaceFile } from '../replace-file.ts';
import { keyBytes, keyId } from './envelope.ts';

export interface KeyEncryptionKey {
  /** 16 hexadecimal digits, see `keyId`. */
  readonly id: string;
  readonly key: Buffer;
}

const line = /^solyx-kek-1 ([0-9a-f]{64})$/;

export class KeyFile {
  readonly path: string;
  #keys: readonly KeyEncryptionKey[] = [];
  #stamp = '';

  constructor(path: string) {
    this.path = path;
  }

  /**
   * Its keys, the one that seals first; never empty.
   * @throws secrets_key_missing when the file is missing, cannot be read, is open to others, or has another form
   */
  keys(): readonly KeyEncryptionKey[] {
    let stamp: string;
    try {
      const { ino, mtimeMs, size, mode } = statSync(this.path);
      if ((mode & 0o007) !== 0) throw new Error('others may read it; make it mode 0600');
      stamp = `${ino} ${mtimeMs} ${size}`;
      if (stamp !== this.#stamp) {
        this.#keys = parseKeys(readFileSync(this.path, 'utf8'));
        this.#stamp = stamp;
      }
    } catch (error) {
      throw new SolyxError('secrets_key_missing', {
        detail: `${this.path}: ${(error as NodeJS.ErrnoException).code ?? (error as Error).message}.`,
        cause: error,
      });
    }
    return this.#keys;
  }

  /** Whether there is such a file, readable or not. */
  exists(): boolean {
    return statSync(this.path, { throwIfNoEntry: false }) !== undefined;
  }

  /** Makes the file with a key of its own unless there is one; of several who try, one succeeds. @returns whether it was us */
  async create(): Promise<boolean> {
    const temporary = `${this.path}.${randomBytes(6).toString('hex')}`;
    await replaceFile(temporary, render([randomBytes(keyBytes)]), 0o600);
    try {
      await link(temporary, this.path);
      return true;
    } catch (error) {
      if ((error as NodeJS.ErrnoException).code === 'EEXIST') return false;
      throw error;
    } finally {
      await rm(temporary, { force: true });
    }
  }

  /** Replaces all keys at once, durably; the first one seals. */
  async replace(keys: readonly Buffer[]): Promise<void> {
    await replaceFile(this.path, render(keys), 0o600);
  }
}

const render = (keys: readonly Buffer[]): string =>
  `${keys.map((key) => `solyx-kek-1 ${key.toString('hex')}`).join('\n')}\n`;

function parseKeys(text: string): KeyEncryptionKey[] {
  const lines = text.split('\n').filter((one) => one.trim() !== '' && !one.startsWith('#'));
  const keys = lines.map((one, index) => {
    const digits = line.exec(one.trim())?.[1];
    if (digits === undefined) throw new Error(`line ${index + 1} is not "solyx-kek-1 <64 hexadecimal digits>"`);
    const key = Buffer.from(digits, 'hex');
    return { id: keyId(key), key };
  });
  if (keys.length === 0) throw new Error('it holds no key');
  return keys;
}
