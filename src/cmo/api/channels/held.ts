/**
 * The channels that clients hold here, watched together: each ends within a second when its key loses its rights, when its attempt
 * has ended or a newer one exists, and when it was idle or open for too long.
 */

import type { Code } from '../../../common/errors/index.ts';
import { type Loop, runLoop } from '../../../common/events/index.ts';
import { roleAtLeast } from '../../../common/http/index.ts';
import { renewChannels } from '../../../metapod/gateway/index.ts';
import { readPrincipals } from '../access/authenticator.ts';
import type { ApiDeps } from '../deps.ts';
import type { OpenChannel } from './open.ts';

export interface ChannelTimings {
  /** A channel through which no byte went for so long is closed, seconds. */
  readonly idleSeconds: number;
  /** Longest life of a channel, seconds. */
  readonly totalSeconds: number;
  /** A copy that moves no byte for so long is given up, seconds. */
  readonly copyIdleSeconds: number;
  /** Channels of a tenant at once; default of the gateway. */
  readonly mostOfTenant?: number;
}

export const defaultChannelTimings: ChannelTimings = { idleSeconds: 7_200, totalSeconds: 86_400, copyIdleSeconds: 300 };

/** Why a channel is ended from here. */
export interface Ending {
  readonly code: Code;
  readonly detail: string;
}

interface Held {
  readonly channel: OpenChannel;
  readonly end: (why: Ending) => void;
  readonly startedMs: number;
  movedMs: number;
}

const lookSeconds = 0.4;
/** Without the database nobody knows whose key still counts; so long it is trusted, ms. */
const blindMs = 20_000;

export class HeldChannels {
  readonly #deps: ApiDeps;
  readonly #timings: ChannelTimings;
  readonly #held = new Map<string, Held>();
  #loop: Loop | undefined;
  #lookedMs = 0;

  constructor(deps: ApiDeps) {
    this.#deps = deps;
    this.#timings = { ...defaultChannelTimings, ...deps.channelTimings };
  }

  /**
   * Watches a channel until `release`.
   * @param end called once when it must end
   */
  hold(channel: OpenChannel, end: (why: Ending) => void): { moved: () => void; release: () => void } {
    const now = this.#deps.clock.monotonicMs();
    if (this.#held.size === 0) this.#lookedMs = now;
    const held: Held = { channel, end, startedMs: now, movedMs: now };
    this.#held.set(channel.id, held);
    this.#loop ??= runLoop({
      name: 'channels',
      wakeOn: ['keys'],
      wake: this.#deps.wake,
      logger: this.#deps.logger,
      resyncSeconds: lookSeconds,
      run: () => this.#look(),
    });
    return {
      moved: () => {
        held.movedMs = this.#deps.clock.monotonicMs();
      },
      release: () => {
        this.#held.delete(channel.id);
        if (this.#held.size > 0) return;
        void this.#loop?.stop();
        this.#loop = undefined;
      },
    };
  }

  /** Ends all; the server stops. */
  stop(): void {
    for (const held of [...this.#held.values()]) {
      this.#end(held, { code: 'not_ready', detail: 'The server stops; the job goes on.' });
    }
  }

  async #look(): Promise<void> {
    const now = this.#deps.clock.monotonicMs();
    for (const held of this.#held.values()) this.#checkTime(held, now);
    const held = [...this.#held.values()];
    if (held.length === 0) return;
    try {
      const { system } = this.#deps.db;
      const keys = await readPrincipals(system, [...new Set(held.map(({ channel }) => channel.principal.keyId))]);
      for (const one of held) {
        const { principal } = one.channel;
        const present = keys.get(principal.keyId);
        if (present === undefined)
          this.#end(one, { code: 'key_revoked', detail: 'It was revoked while this was open.' });
        else if (present.tenant.id !== principal.tenant.id || !roleAtLeast(present.role, 'member')) {
          this.#end(one, { code: 'forbidden', detail: 'The role of the key was changed while this was open.' });
        }
      }
      const ids = held.map(({ channel }) => channel.id);
      for (const { id, fate } of await renewChannels(system, this.#deps.channels.id, ids)) {
        const one = this.#held.get(id);
        if (one === undefined || fate === 'open') continue;
        this.#end(one, endings[fate]);
      }
      this.#lookedMs = now;
    } catch (error) {
      if (now - this.#lookedMs < blindMs) throw error;
      for (const one of held)
        this.#end(one, { code: 'database_unavailable', detail: 'Nobody can say whether your key still counts.' });
    }
  }

  #checkTime(held: Held, now: number): void {
    const { idleSeconds, copyIdleSeconds, totalSeconds } = this.#timings;
    const isCopy = held.channel.kind === 'download' || held.channel.kind === 'upload';
    const idle = isCopy ? copyIdleSeconds : idleSeconds;
    if (now - held.movedMs > idle * 1000) {
      this.#end(held, { code: 'channel_timeout', detail: `Nothing moved for ${idle} seconds.` });
    } else if (now - held.startedMs > totalSeconds * 1000) {
      this.#end(held, { code: 'channel_timeout', detail: `It was open for ${totalSeconds} seconds.` });
    }
  }

  #end(held: Held, why: Ending): void {
    if (!this.#held.delete(held.channel.id)) return;
    held.end(why);
  }
}

const endings = {
  ended: { code: 'job_not_running', detail: 'The attempt has ended.' },
  stale: { code: 'stale_token', detail: 'Another attempt of the job runs now.' },
  gone: { code: 'channel_timeout', detail: 'Another server took it for lost.' },
} as const satisfies Record<string, Ending>;
