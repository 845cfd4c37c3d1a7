/**
 * Wake-ups: hints that a loop has something to do, inside this process and in all others.
 *
 * A wake-up may be lost or come for nothing; loops are correct without it (`loop.ts`), only slower. Local listeners are called at
 * once. Other processes are told by NOTIFY, which takes a lock that all committing notifiers of the server share: so it is never
 * sent from the transactions that do the work, but by a statement of its own that carries whatever was woken meanwhile.
 * LISTEN has a connection of its own; when that was lost, everybody is woken, because nobody knows what was missed.
 */
import { randomBytes } from 'node:crypto';
import type pg from 'pg';
import { type Database, makeClient } from '../database/index.ts';
import { backoffMs } from '../database/retry.ts';
import type { Logger } from '../logger.ts';

export interface Wake {
  /** Wakes whoever listens to the topic, here and elsewhere. Never fails, never waits. Call it after the commit. */
  wake(topic: string): void;
  /** Calls `fn` at every wake-up of the topic; `fn` must be quick. Returns how to stop listening. */
  on(topic: string, fn: () => void): () => void;
}

const channel = 'solyx_wake';
/** Wake-ups of so many milliseconds travel together. */
const gatherMs = 10;
/** A notification holds less than 8,000 bytes. */
const mostPayloadBytes = 7_500;

/** Wake-ups inside one process only: for tests and simulations. */
export class LocalWake implements Wake {
  readonly #listeners = new Map<string, Set<() => void>>();

  wake(topic: string): void {
    for (const fn of this.#listeners.get(topic) ?? []) fn();
  }

  /** Wakes every listener of every topic. */
  wakeAll(): void {
    for (const topic of this.#listeners.keys()) this.wake(topic);
  }

  on(topic: string, fn: () => void): () => void {
    const listeners = this.#listeners.get(topic) ?? new Set();
    this.#listeners.set(topic, listeners.add(fn));
    return () => listeners.delete(fn);
  }
}

/** Wake-ups over the database that all processes share. */
export class DatabaseWake implements Wake {
  readonly #db: Database;
  readonly #logger: Logger;
  readonly #local = new LocalWake();
  /** Tells our own notifications from others'. */
  readonly #self = randomBytes(6).toString('hex');
  #pending = new Set<string>();
  #sending: Promise<void> | undefined;
  #listener: pg.Client | undefined;
  #reconnect: NodeJS.Timeout | undefined;
  #stopped = false;

  private constructor(db: Database, logger: Logger) {
    this.#db = db;
    this.#logger = logger;
  }

  /** Starts listening; resolves when wake-ups of others arrive. Keeps trying when the server is away. */
  static async start(db: Database, logger: Logger): Promise<DatabaseWake> {
    const wake = new DatabaseWake(db, logger);
    await wake.#listen(1);
    return wake;
  }

  on(topic: string, fn: () => void): () => void {
    return this.#local.on(topic, fn);
  }

  wake(topic: string): void {
    this.#local.wake(topic);
    if (this.#stopped) return;
    this.#pending.add(topic);
    this.#sending ??= this.#send();
  }

  /** Sends what is pending and closes the connection. */
  async stop(): Promise<void> {
    this.#stopped = true;
    clearTimeout(this.#reconnect);
    await this.#sending;
    await this.#listener?.end().catch(() => {});
  }

  async #send(): Promise<void> {
    while (this.#pending.size > 0) {
      await new Promise((resolve) => setTimeout(resolve, gatherMs));
      const payloads = pack(this.#self, this.#pending);
      this.#pending = new Set();
      try {
        await this.#db.system.query('select pg_notify($1, payload) from unnest($2::text[]) as payload', [
          channel,
          payloads,
        ]);
      } catch (error) {
        // The others notice at their next re-sync; whoever reconnects wakes everybody anyway.
        this.#logger.warn({ err: error }, 'wake-up of other processes was not sent');
      }
    }
    // In the same step as the check above, so that no topic falls between the two.
    this.#sending = undefined;
  }

  async #listen(attempt: number): Promise<void> {
    const client = makeClient({
      ...this.#db.logins.system,
      application_name: 'solyx wake',
      keepAlive: true,
      keepAliveInitialDelayMillis: 10_000,
    });
    let lost = false;
    const onLost = () => {
      if (lost || this.#stopped) return;
      lost = true;
      void client.end().catch(() => {});
      this.#reconnect = setTimeout(() => void this.#listen(attempt + 1), backoffMs(attempt));
    };
    client.on('error', onLost);
    client.on('end', onLost);
    client.on('notification', (message) => this.#receive(message.payload ?? ''));
    try {
      await client.connect();
      await client.query(`listen ${channel}`);
    } catch (error) {
      this.#logger.warn({ err: error }, 'cannot listen for wake-ups; trying again');
      onLost();
      return;
    }
    if (this.#stopped) {
      await client.end();
      return;
    }
    attempt = 0;
    this.#listener = client;
    this.#local.wakeAll();
  }

  #receive(payload: string): void {
    const [sender, ...topics] = payload.split(' ');
    if (sender === this.#self) return;
    for (const topic of topics) this.#local.wake(topic);
  }
}

/** Packs topics into as few notifications as their size allows. */
function pack(sender: string, topics: Iterable<string>): string[] {
  const payloads: string[] = [];
  let payload = sender;
  for (const topic of topics) {
    if (Buffer.byteLength(payload) + Buffer.byteLength(topic) + 1 > mostPayloadBytes) {
      payloads.push(payload);
      payload = sender;
    }
    payload += ` ${topic}`;
  }
  payloads.push(payload);
  return payloads;
}
