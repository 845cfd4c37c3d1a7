/**
 * What must be thrown away now and then, by whichever process comes to it: every step is safe to run twice at once.
 *
 * Part of the composition root, because it knows what every component wants to be rid of, and nothing else.
 */
import { setTimeout as pause } from 'node:timers/promises';
import { endAbandonedChannels, pruneIdempotency, pruneIdentity } from './cmo/api/index.ts';
import { type BlobStore, collectBlobs, collectStray } from './common/blobs/index.ts';
import type { Clock } from './common/clock.ts';
import type { Config } from './common/config/index.ts';
import type { Database } from './common/database/index.ts';
import { pruneEvents, truncateOldDirty } from './common/events/index.ts';
import type { Logger } from './common/logger.ts';
import { settleSamples } from './drm/tracker/index.ts';
import { pruneLogs } from './metapod/gateway/index.ts';

export interface HousekeepingOptions {
  readonly db: Database;
  readonly blobs: BlobStore;
  readonly clock: Clock;
  readonly logger: Logger;
  readonly retention: Config['retention'];
}

/** Requests are remembered by their Idempotency-Key for so long, hours. */
const idempotencyHours = 48;
/** Views in which components say what they use (0171, 0172). */
const blobUses = ['cmo_blob_uses', 'metapod_blob_uses'];

const minute = 60_000;

/** Starts the loops. @returns what ends them, and waits for the step that runs */
export function startHousekeeping(options: HousekeepingOptions): () => Promise<void> {
  const { db, blobs, clock, logger, retention } = options;
  const ending = new AbortController();
  const stopping = () => ending.signal.aborted;

  /** Until nothing is left, or what comes in faster than one batch a turn would stay for ever. */
  const emptied = async (prune: () => Promise<number>) => {
    while (!stopping() && (await prune()) > 0);
  };
  const loop = async (what: string, everyMs: number, work: () => Promise<unknown>) => {
    while (!stopping()) {
      await pause(everyMs, undefined, { signal: ending.signal, ref: false }).catch(() => {});
      if (stopping()) return;
      await work().catch((error) => logger.warn({ err: error, what }, 'housekeeping failed; it is repeated'));
    }
  };

  const running = [
    loop('feeds and samples', 5 * minute, async () => {
      await truncateOldDirty(db);
      await settleSamples(db);
      await emptied(() => pruneEvents(db, retention.eventDays));
      await emptied(() => pruneIdempotency(db, idempotencyHours));
      await emptied(() => pruneIdentity(db, retention.eventDays));
    }),
    loop('channels', minute / 2, () => emptied(() => endAbandonedChannels(db))),
    loop('logs', 15 * minute, () => emptied(() => pruneLogs(db, retention.logDays, clock.now()))),
    loop('blobs', 60 * minute, async () => {
      const gone = await collectBlobs({ db, store: blobs, uses: blobUses, keptDays: retention.blobDays, stopping });
      if (gone.blobs > 0) logger.info({ blobs: gone.blobs, bytes: Number(gone.bytes) }, 'collected unused blobs');
    }),
    loop('stray bytes', 24 * 60 * minute, async () => {
      const removed = await collectStray({ db, store: blobs, stopping });
      if (removed > 0) logger.info({ removed }, 'removed bytes that belonged to nobody');
    }),
  ];
  return async () => {
    ending.abort();
    await Promise.all(running);
  };
}
