/**
 * Heartbeats and the leases that they renew.
 *
 * A supervisor counts its time without contact from the *sending* of the last heartbeat that was acknowledged
 * (contracts §3), so the boot clock at each sending is kept until its answer. A rank that may miss contact for less
 * than a few periods makes us beat faster, or it would never live long.
 */
import { uptime } from 'node:os';
import { type AgentMessage, heartbeatSeconds } from '../../common/contract/agent/protocol.ts';
import type { Logger } from '../../common/logger.ts';
import type { Contact } from './contact.ts';
import type { RankSet } from './rank-set.ts';

export type HeartbeatMessage = Extract<AgentMessage, { type: 'heartbeat' }>;

export interface HeartbeatDependencies {
  readonly ranks: RankSet;
  readonly contact: Contact;
  readonly logger: Logger;
  /** @returns whether the socket is open and took it */
  readonly send: (message: HeartbeatMessage) => boolean;
  readonly samples: () => HeartbeatMessage['samples'];
}

/** Shortest pause between heartbeats, seconds. */
const leastBeatSeconds = 0.5;

export class Heartbeats {
  readonly #deps: HeartbeatDependencies;
  #seq = 0;
  /** Boot clock at the sending of heartbeats that are not acknowledged, by number. */
  #sent = new Map<number, number>();
  #beatAtSeconds = Number.NEGATIVE_INFINITY;

  constructor(deps: HeartbeatDependencies) {
    this.#deps = deps;
  }

  /** A new socket: what was not acknowledged on the old one never will be. */
  reset(): void {
    this.#sent.clear();
  }

  beatWhenDue(): void {
    let period = heartbeatSeconds;
    for (const rank of this.#deps.ranks.unended) period = Math.min(period, rank.patienceSeconds / 4);
    if (uptime() - this.#beatAtSeconds >= Math.max(leastBeatSeconds, period)) this.beat();
  }

  beat(): void {
    const samples = this.#deps.samples();
    const at = uptime();
    const seq = this.#seq;
    if (!this.#deps.send({ type: 'heartbeat', seq, ...(samples !== undefined && { samples }) })) return;
    this.#seq += 1;
    this.#beatAtSeconds = at;
    this.#sent.set(seq, at);
  }

  /** The control plane has heartbeat `seq`: contact counts from when it was sent. */
  acknowledge(seq: number): void {
    const sentAt = this.#sent.get(seq);
    if (sentAt === undefined) return;
    for (const older of this.#sent.keys()) if (older <= seq) this.#sent.delete(older);
    const { ranks, contact, logger } = this.#deps;
    for (const rank of ranks.all) {
      try {
        rank.renewLease(sentAt);
      } catch (error) {
        logger.warn({ err: error, dir: rank.dir }, 'a lease was not renewed; without contact the job ends early');
      }
    }
    contact.renew(sentAt);
  }
}
