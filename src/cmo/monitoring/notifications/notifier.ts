/**
 * The notifier: three loops that any number of servers may run at once. One moves events into the outbox, one looks for stuck jobs,
 * one sends what is due. What they do to the database is in the files they call; nothing that matters is kept in memory.
 *
 * Tries run beside the loop that starts them, a bounded number at once: a receiver that hangs for its ten seconds must neither hold
 * up the others nor the end of the server, which cuts tries off and leaves them to be made again.
 */
import { Counter, type Registry } from 'prom-client';
import { type Database, withSystem } from '../../../common/database/index.ts';
import { type Loop, runLoop, type Wake } from '../../../common/events/index.ts';
import type { Logger } from '../../../common/logger.ts';
import type { Mailer } from '../../../common/mail/index.ts';
import type { SecretStore } from '../../../common/secrets/index.ts';
import type { Told } from './body.ts';
import { openChannelSecret } from './channels.ts';
import { type Claimed, claimDue, nextDueSeconds, pruneDeliveries, settle } from './deliver.ts';
import { sendMail } from './email.ts';
import { ensureCursor, fillOutbox } from './outbox.ts';
import { findStuck } from './stuck.ts';
import { type Sent, sendHook } from './webhook.ts';

/** Woken when something is put into the outbox. */
export const notificationsTopic = 'notifications';
/** A round that looks for stuck jobs, seconds. */
const stuckEverySeconds = 30;
const keptDays = 30;
/** Tries of this process at once. */
const mostUnderWay = 16;
const pruneEveryMs = 3_600_000;

export interface NotifierOptions {
  readonly db: Database;
  readonly wake: Wake;
  readonly logger: Logger;
  readonly registry: Registry;
  readonly secrets: SecretStore;
  /** Undefined: this server sends no e-mail. */
  readonly mailer: Mailer | undefined;
  /** Networks beside the public internet that web-hooks may go to. */
  readonly allowNetworks: readonly string[];
  readonly publicUrl: string | undefined;
  /** First pause after a failed try, seconds; default 30. */
  readonly retrySeconds?: number;
}

export class Notifier {
  readonly #options: NotifierOptions;
  readonly #logger: Logger;
  readonly #tries: Counter<'kind' | 'result'>;
  #loops: Loop[] = [];
  readonly #stopping = new AbortController();
  readonly #underWay = new Set<Promise<void>>();
  #alarm: NodeJS.Timeout | undefined;
  #prunedAt = Number.NEGATIVE_INFINITY;

  constructor(options: NotifierOptions) {
    this.#options = options;
    this.#logger = options.logger.child({ component: 'notifier' });
    this.#tries = new Counter({
      name: 'solyx_notification_tries_total',
      help: 'Tries to deliver a notification, by kind of channel and result.',
      labelNames: ['kind', 'result'],
      registers: [options.registry],
    });
  }

  async start(): Promise<void> {
    await ensureCursor(this.#options.db.system);
    const common = { wake: this.#options.wake, logger: this.#logger };
    this.#loops = [
      runLoop({ ...common, name: 'notification outbox', wakeOn: ['events'], run: () => this.#fill() }),
      runLoop({
        ...common,
        name: 'stuck jobs',
        wakeOn: [],
        resyncSeconds: stuckEverySeconds,
        run: () => this.#look(),
      }),
      runLoop({
        ...common,
        name: 'notifications',
        wakeOn: [notificationsTopic],
        run: (signal) => this.#deliver(signal),
      }),
    ];
  }

  async stop(): Promise<void> {
    this.#stopping.abort();
    await Promise.all(this.#loops.map((loop) => loop.stop()));
    clearTimeout(this.#alarm);
    await Promise.all(this.#underWay);
  }

  async #fill(): Promise<void> {
    const { db, publicUrl, wake } = this.#options;
    const { added, reset } = await withSystem(db, (tx) => fillOutbox(tx, publicUrl));
    if (reset) this.#logger.warn('events were thrown away before they were read; what they said is not told');
    if (added > 0) wake.wake(notificationsTopic);
  }

  async #look(): Promise<void> {
    const { db, publicUrl, wake } = this.#options;
    if ((await withSystem(db, (tx) => findStuck(tx, publicUrl))) > 0) wake.wake(notificationsTopic);
  }

  async #deliver(signal: AbortSignal): Promise<void> {
    const { db } = this.#options;
    while (!signal.aborted && this.#underWay.size < mostUnderWay) {
      const claimed = await claimDue(db, mostUnderWay - this.#underWay.size);
      if (claimed.length === 0) break;
      for (const one of claimed) this.#begin(one);
    }
    if (performance.now() - this.#prunedAt > pruneEveryMs) {
      this.#prunedAt = performance.now();
      await withSystem(db, (tx) => pruneDeliveries(tx, keptDays), { idempotent: true });
    }
    const seconds = await nextDueSeconds(db);
    clearTimeout(this.#alarm);
    if (seconds === null || signal.aborted) return;
    this.#alarm = setTimeout(() => this.#loops[2]?.wake(), Math.min(30, seconds) * 1000 + 50);
    this.#alarm.unref();
  }

  #begin(claimed: Claimed): void {
    const work = this.#try(claimed)
      // Not written down: the lease runs out, and it is sent again.
      .catch((error) => this.#logger.warn({ err: error, delivery: claimed.id }, 'a try was not recorded'))
      .finally(() => {
        this.#underWay.delete(work);
        this.#loops[2]?.wake();
      });
    this.#underWay.add(work);
  }

  async #try(claimed: Claimed): Promise<void> {
    const began = performance.now();
    const sent = await this.#send(claimed).catch(
      (error: Error): Sent => ({ kind: 'refused', status: null, error: error.message.slice(0, 200) }),
    );
    this.#tries.inc({ kind: claimed.kind, result: sent.kind });
    if (sent.kind === 'refused') {
      const { id, channel_id, attempts } = claimed;
      this.#logger.info(
        { delivery: id, channel: channel_id, attempts, error: sent.error },
        'a notification was not taken',
      );
    }
    await settle(this.#options.db, claimed, sent, performance.now() - began, this.#options.retrySeconds);
  }

  async #send(claimed: Claimed): Promise<Sent> {
    const { db, secrets, allowNetworks, mailer } = this.#options;
    if (claimed.kind === 'email') {
      if (!mailer) return { kind: 'refused', status: null, error: 'this server sends no e-mail (mail.host)' };
      const told = JSON.parse(claimed.body) as Told;
      return sendMail(mailer, { recipients: claimed.recipients!, deliveryId: claimed.id, told });
    }
    const { tenant, channel_id, secret } = claimed;
    const key = await withSystem(db, (tx) => openChannelSecret(tx, secrets, { tenant, channel_id, secret: secret! }));
    const hook = { url: claimed.url!, secret: key, deliveryId: claimed.id, event: claimed.event, body: claimed.body };
    return sendHook(hook, { allowNetworks, now: new Date(), signal: this.#stopping.signal });
  }
}
