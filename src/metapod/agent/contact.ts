/**
 * When the control plane last knew that we were here: the sending of the last heartbeat that it acknowledged, by the
 * boot clock (contracts §3).
 *
 * Kept on disk, because an agent that comes back after an hour must not believe that contact began with itself. Not
 * flushed: a power cut makes a new boot, and what was known of another boot is void.
 */
import { join } from 'node:path';
import { z } from 'zod';
import { readJson, writeAtomic } from './supervisor/files.ts';
import { bootId } from './supervisor/index.ts';

const contactFile = z.object({ bootId: z.string(), uptimeSeconds: z.number() });

export class Contact {
  readonly #path: string;
  #seconds: number | null;

  constructor(dataDir: string) {
    this.#path = join(dataDir, 'contact.json');
    const found = readJson(this.#path);
    const parsed = found.kind === 'ok' ? contactFile.safeParse(found.value) : undefined;
    this.#seconds = parsed?.success && parsed.data.bootId === bootId() ? parsed.data.uptimeSeconds : null;
  }

  /** Boot clock, seconds; null while there was no contact since the machine was started. */
  get lastSeconds(): number | null {
    return this.#seconds;
  }

  /** A heartbeat that was sent at this time was acknowledged. */
  renew(uptimeSeconds: number): void {
    this.#seconds = uptimeSeconds;
    try {
      writeAtomic(this.#path, JSON.stringify({ bootId: bootId(), uptimeSeconds }), false);
    } catch {
      // A full disk: after a restart we think that contact was lost earlier, which ends work early and never late.
    }
  }
}
