/**
 * What waits to be sent for one subscription: the newest value of each entity, in the order in which they first changed.
 *
 * A value that is overtaken by a newer one is never sent, so a client that is slow, or a job that changes ten times within one
 * frame, costs one value. What is bounded is therefore the number of entities, by their bytes.
 */
import type { Cursor } from '../../../common/events/index.ts';
import type { EntityChange } from './topic.ts';

export class Outbox {
  readonly #changes = new Map<string, EntityChange>();
  /** Bytes that wait, about: JSON is nearly all ASCII. */
  bytes = 0;
  /** Up to where the subscription is complete when this was sent. */
  cursor: Cursor | undefined;
  /** When the oldest event behind it was written, ms since 1970; Infinity when unknown. */
  oldestAtMs = Number.POSITIVE_INFINITY;

  /** @returns how many older values were overtaken */
  add(changes: readonly EntityChange[], cursor: Cursor | undefined): number {
    let overtaken = 0;
    for (const change of changes) {
      const before = this.#changes.get(change.key);
      if (before) {
        overtaken += 1;
        this.bytes -= before.json.length;
      }
      this.#changes.set(change.key, change);
      this.bytes += change.json.length;
      if (change.atMs !== undefined && change.atMs < this.oldestAtMs) this.oldestAtMs = change.atMs;
    }
    if (cursor !== undefined) this.cursor = cursor;
    return overtaken;
  }

  get isEmpty(): boolean {
    return this.#changes.size === 0;
  }

  clear(): void {
    this.#changes.clear();
    this.bytes = 0;
    this.oldestAtMs = Number.POSITIVE_INFINITY;
  }

  /** The data of a delta, as JSON; empties the box. */
  take(): string {
    const parts = new Map<string, string[]>();
    for (const { part, key, json } of this.#changes.values()) {
      const text = part === 'fields' ? `${JSON.stringify(key)}:${json}` : json;
      const list = parts.get(part);
      if (list) list.push(text);
      else parts.set(part, [text]);
    }
    this.clear();
    const members = [...parts].map(([part, texts]) =>
      part === 'fields' ? `"fields":{${texts.join(',')}}` : `${JSON.stringify(part)}:[${texts.join(',')}]`,
    );
    return `{${members.join(',')}}`;
  }
}
