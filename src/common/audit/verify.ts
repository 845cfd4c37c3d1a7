/**
 * Checks an audit log entry by entry, wherever it came from: the API, an exported file. Pure; needs no key and no trust in the
 * server that handed the entries over.
 *
 * It says the first sequence at which something is wrong. Nothing behind that can be trusted to be complete, so it stops there.
 */
import { type ChainedEntry, chainHash, zeroHash } from './canonical.ts';

export interface LinkedEntry extends ChainedEntry {
  readonly previous: string;
  readonly hash: string;
}

/** A head that was noted earlier: by a seal, by a file kept elsewhere, by the server now. */
export interface KnownHead {
  readonly sequence: number;
  readonly hash: string;
}

export type FaultKind =
  /** entries are missing, or out of order */
  | 'gap'
  /** the content is not what was hashed */
  | 'altered'
  /** its predecessor is another one than it was chained to */
  | 'unchained'
  /** it disagrees with a head that was signed or kept earlier: the chain was computed anew */
  | 'rewritten'
  /** entries at the end are missing */
  | 'cut';

export interface Fault {
  readonly sequence: number;
  readonly kind: FaultKind;
  readonly message: string;
}

export class ChainCheck {
  #sequence = 0;
  #hash = zeroHash;
  #fault: Fault | undefined;
  readonly #known = new Map<number, { hash: string; from: string }[]>();

  /** How many entries were right. */
  get sequence(): number {
    return this.#sequence;
  }

  get hash(): string {
    return this.#hash;
  }

  /** The first thing that is wrong. */
  get fault(): Fault | undefined {
    return this.#fault;
  }

  /** Notes a head to compare with. @param from where it comes from, for the message: `seal`, `anchor file` */
  expect(head: KnownHead, from: string): void {
    const there = this.#known.get(head.sequence) ?? [];
    this.#known.set(head.sequence, [...there, { hash: head.hash, from }]);
  }

  /** Takes the next entry, oldest first. @returns whether the chain is right so far */
  take(entry: LinkedEntry): boolean {
    if (this.#fault) return false;
    const wanted = this.#sequence + 1;
    if (entry.sequence !== wanted) {
      const message = `entry ${wanted} is missing: ${entry.sequence} comes after ${this.#sequence}`;
      return this.#fail(wanted, 'gap', message);
    }
    if (entry.previous !== this.#hash) {
      return this.#fail(wanted, 'unchained', `entry ${wanted} was chained to another entry than ${this.#sequence}`);
    }
    if (chainHash(this.#hash, entry) !== entry.hash) {
      return this.#fail(wanted, 'altered', `entry ${wanted} is not what was recorded`);
    }
    for (const { hash, from } of this.#known.get(wanted) ?? []) {
      if (hash !== entry.hash) {
        return this.#fail(
          wanted,
          'rewritten',
          `entry ${wanted} or one before it was replaced: the ${from} has another hash`,
        );
      }
    }
    this.#sequence = wanted;
    this.#hash = entry.hash;
    return true;
  }

  /** All entries were taken: whether every known head was reached. */
  end(): boolean {
    if (this.#fault) return false;
    const beyond = [...this.#known].filter(([sequence]) => sequence > this.#sequence).sort(([a], [b]) => b - a)[0];
    if (!beyond) return true;
    const [sequence, [known]] = beyond;
    const wanted = this.#sequence + 1;
    return this.#fail(
      wanted,
      'cut',
      `entries ${wanted} to ${sequence} are missing at the end: the ${known!.from} knows them`,
    );
  }

  #fail(sequence: number, kind: FaultKind, message: string): false {
    this.#fault = { sequence, kind, message };
    return false;
  }
}
