/**
 * Whose job goes next: hierarchical dominant-resource fairness (Ghodsi et al., NSDI'11; Bhattacharya et al., SoCC'13).
 *
 * At each level of the account tree goes first who stays within its guarantee or has room made for it, then the higher priority, then the least weighted dominant
 * share, then the earlier job. Of an account with parts only those resources count that its first job wants: by all of them, a tenant of which
 * one project holds all devices would come last for cores, too, and another project of it that wants nothing but cores would starve (the
 * case of SoCC'13, §3). Their cure, to scale the parts' shares down to the least of them, would give an account more of what one part holds for
 * asking in another; here what it holds of a thing counts in full whenever that thing is asked for. A heap at each level; a placement changes the shares on one path only, which was taken out to get at the job
 * and is put back by its new keys. So a job costs the depth of the tree times a logarithm, and a job that merely waits costs nothing.
 */

import { compareJobs } from '../job-record.ts';
import { MinHeap } from '../min-heap.ts';
import { isWithinGuarantee } from '../quota/check-quota.ts';
import type { PendingJob } from '../snapshot.ts';
import type { Account } from './ledger.ts';
import type { Use } from './use.ts';

/** A sequence of jobs of one account that are alike. */
export interface JobSource {
  /** The next job; defined while the source is inside. */
  readonly head: PendingJob;
  /** What each of its jobs takes at least. */
  readonly use: Use;
}

/** By what siblings are compared; worked out when something enters a heap. */
interface Key {
  readonly within: boolean;
  readonly share: number;
  readonly head: PendingJob;
}

interface Keyed<T> {
  readonly item: T;
  readonly key: Key;
}

interface Level<S> {
  readonly account: Account | null;
  /** It has, or had in this round, parts with jobs. */
  isDivided: boolean;
  readonly parts: MinHeap<Keyed<Level<S>>>;
  readonly sources: MinHeap<Keyed<S>>;
  /** Parts that are not in their heap yet. */
  readonly entering: Level<S>[];
}

function compareKeys({ key: a }: Keyed<unknown>, { key: b }: Keyed<unknown>): number {
  if (a.within !== b.within) return a.within ? -1 : 1;
  return b.head.priority - a.head.priority || a.share - b.share || compareJobs(a.head, b.head);
}

export class FairOrder<S extends JobSource> {
  readonly #root: Level<S> = newLevel<S>(null);
  readonly #levels = new Map<Account, Level<S>>();
  /** The levels from the root to the source that was taken last; they are out of their heaps. */
  #path: Level<S>[] = [];

  /** Adds sources with their accounts, at the start. */
  add(sources: Iterable<readonly [account: Account, source: S]>): void {
    for (const [account, source] of sources) {
      const level = this.#level(account);
      level.sources.push({ item: source, key: sourceKey(account, source) });
    }
    this.#enter(this.#root);
  }

  /** The source whose head goes next, taken out; undefined when none is left. Give it back, or drop it, before asking again. */
  next(): S | undefined {
    for (;;) {
      const path = [this.#root];
      let level = this.#root;
      for (let part = level.parts.pop(); part !== undefined; part = level.parts.pop()) {
        level = part.item;
        path.push(level);
      }
      const entry = level.sources.pop();
      if (entry === undefined) return undefined;
      this.#path = path;
      // Guarantees are used up by other sources meanwhile: then it goes later.
      const account = level.account!;
      if (entry.key.within && !goesFirst(account, entry.item)) this.back(entry.item);
      else return entry.item;
    }
  }

  /** The source that was taken last goes on with its next job. */
  back(source: S): void {
    const level = this.#path.at(-1)!;
    level.sources.push({ item: source, key: sourceKey(level.account!, source) });
    this.drop();
  }

  /** The source that was taken last is done with; its accounts go on with what else they have. */
  drop(): void {
    for (let i = this.#path.length - 1; i > 0; i -= 1) {
      const entry = entryOf(this.#path[i]!);
      if (entry !== undefined) this.#path[i - 1]!.parts.push(entry);
    }
    this.#path = [];
  }

  #level(account: Account): Level<S> {
    const known = this.#levels.get(account);
    if (known !== undefined) return known;
    const level = newLevel<S>(account);
    this.#levels.set(account, level);
    const above = account.parent === null ? this.#root : this.#level(account.parent);
    above.entering.push(level);
    above.isDivided = true;
    return level;
  }

  #enter(level: Level<S>): void {
    for (const part of level.entering.splice(0)) {
      this.#enter(part);
      const entry = entryOf(part);
      if (entry !== undefined) level.parts.push(entry);
    }
  }
}

const newLevel = <S>(account: Account | null): Level<S> => ({
  account,
  isDivided: false,
  parts: new MinHeap<Keyed<Level<S>>>(compareKeys),
  sources: new MinHeap<Keyed<S>>(compareKeys),
  entering: [],
});

function sourceKey(account: Account, source: JobSource): Key {
  return { within: goesFirst(account, source), share: 0, head: source.head };
}

/** Whether it stays within its guarantee, or has been promised room that others are ended for. */
function goesFirst(account: Account, { head, use }: JobSource): boolean {
  return head.promised === true || isWithinGuarantee(account, use);
}

/** A level as its siblings see it: by its first job and its own share. */
function entryOf<S extends JobSource>(level: Level<S>): Keyed<Level<S>> | undefined {
  const first = firstOf(level);
  if (first === undefined) return undefined;
  const account = level.account!;
  const within = goesFirst(account, first);
  const share = level.isDivided ? account.shareOf(first.use) : account.share;
  return { item: level, key: { within, share, head: first.head } };
}

function firstOf<S extends JobSource>(level: Level<S>): S | undefined {
  for (let at = level; ; ) {
    const part = at.parts.peek();
    if (part === undefined) return at.sources.peek()?.item;
    at = part.item;
  }
}
