/**
 * Looks through an archive on its way into a job and refuses what is not files, folders, links that stay inside and second names
 * (hard links) of files that came before.
 *
 * It is unpacked by the job's user in the job's root and could do no harm outside; this keeps a copy from doing inside what
 * nobody asked for, and from being larger than allowed. What is refused late has left nothing: the target appears at the end.
 */
import { Parser } from 'tar';
import { isSafePath } from '../../../common/blobs/index.ts';
import { SolyxError } from '../../../common/errors/index.ts';
import { linkStaysInside } from '../../../common/links.ts';

export interface TarLimits {
  readonly mostBytes: number;
  readonly mostFiles: number;
}

const plain = new Set(['File', 'OldFile', 'ContiguousFile']);
const kinds = new Set([...plain, 'Directory', 'SymbolicLink', 'Link']);

const bareOf = (path: string): string => path.replace(/^\.\//, '').replace(/\/+$/, '');

export class TarCheck {
  readonly #limits: TarLimits;
  readonly #parser: Parser;
  #refusal: SolyxError | undefined;
  readonly #plain = new Set<string>();
  #entries = 0;
  #first = true;
  files = 0;
  bytes = 0;

  constructor(limits: TarLimits) {
    this.#limits = limits;
    this.#parser = new Parser({ strict: true });
    this.#parser.on('entry', (entry) => {
      this.#look(entry);
      entry.resume();
    });
    this.#parser.on('error', (error: Error) => this.#refuse(`it is no tar archive: ${error.message}`));
    this.#parser.on('warn', (_code: string, message: string | Error) =>
      this.#refuse(`it is damaged: ${String(message)}`),
    );
  }

  /** Looks at the next bytes. @throws copy_refused */
  write(bytes: Buffer): void {
    // The parser would unpack it, and with it a bomb.
    if (this.#first && bytes[0] === 0x1f) this.#refuse('it is compressed');
    this.#first = false;
    if (this.#refusal === undefined) this.#parser.write(bytes);
    if (this.#refusal !== undefined) throw this.#refusal;
  }

  /** That was all. @throws copy_refused when it is not whole */
  end(): void {
    if (this.#refusal === undefined) this.#parser.end();
    if (this.#entries === 0) this.#refuse('it is empty');
    if (this.#refusal !== undefined) throw this.#refusal;
  }

  #look({ path, type, size, linkpath }: { path: string; type: string; size?: number; linkpath?: string }): void {
    this.#entries += 1;
    this.bytes += size ?? 0;
    const bare = bareOf(path);
    if (type !== 'Directory') this.files += 1;
    if (!kinds.has(type)) this.#refuse(`it holds "${path}", which is a ${type}`);
    else if (bare !== '' && bare !== '.' && !isSafePath(bare)) this.#refuse(`the path "${path}" leaves the folder`);
    else if (type === 'SymbolicLink' && !linkStaysInside(bare, linkpath ?? ''))
      this.#refuse(`the link "${path}" points out of the folder`);
    else if (type === 'Link' && !this.#plain.has(bareOf(linkpath ?? '')))
      this.#refuse(`the hard link "${path}" names no file before it`);
    else if (this.bytes > this.#limits.mostBytes) this.#refuse(`it holds more than ${this.#limits.mostBytes} bytes`);
    else if (this.#entries > this.#limits.mostFiles) this.#refuse(`it holds more than ${this.#limits.mostFiles} files`);
    if (plain.has(type) || type === 'Link') this.#plain.add(bare);
    else this.#plain.delete(bare);
  }

  #refuse(why: string): void {
    this.#refusal ??= new SolyxError('copy_refused', `The archive is refused: ${why.slice(0, 500)}.`);
  }
}
