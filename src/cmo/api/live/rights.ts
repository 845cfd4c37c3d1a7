/**
 * Whether those who hold a socket may still hold it.
 *
 * A request is checked when it comes; a socket lives for days. So all keys that hold sockets here are looked at together, once a
 * second and whenever a key was revoked, and a socket whose key died, or has other rights now, is closed: it may come back
 * with a new ticket and then has what it may have.
 */
import type { Database } from '../../../common/database/index.ts';
import { type Loop, runLoop, type Wake } from '../../../common/events/index.ts';
import type { Principal } from '../../../common/http/index.ts';
import type { Logger } from '../../../common/logger.ts';
import { readPrincipals } from '../access/authenticator.ts';

/** Between looks without a wake-up, seconds; a revoked key holds its sockets no longer. */
const lookSeconds = 0.7;

interface Holder {
  readonly principal: Principal;
  readonly onLost: () => void;
}

export interface RightsOptions {
  readonly db: Database;
  readonly wake: Wake;
  readonly logger: Logger;
}

/** Watches the keys of open sockets. Asks nothing while there are none. */
export class RightsWatch {
  readonly #options: RightsOptions;
  readonly #holders = new Map<string, Set<Holder>>();
  #loop: Loop | undefined;

  constructor(options: RightsOptions) {
    this.#options = options;
  }

  /** Calls `onLost` once when the key died or its rights changed. Returns how to stop watching. */
  watch(principal: Principal, onLost: () => void): () => void {
    const holder: Holder = { principal, onLost };
    const holders = this.#holders.get(principal.keyId) ?? new Set();
    this.#holders.set(principal.keyId, holders.add(holder));
    this.#loop ??= runLoop({
      name: 'rights of sockets',
      wakeOn: ['keys'],
      wake: this.#options.wake,
      logger: this.#options.logger,
      resyncSeconds: lookSeconds,
      run: () => this.#look(),
    });
    return () => {
      holders.delete(holder);
      if (holders.size > 0 || this.#holders.get(principal.keyId) !== holders) return;
      this.#holders.delete(principal.keyId);
      if (this.#holders.size > 0) return;
      void this.#loop?.stop();
      this.#loop = undefined;
    };
  }

  async stop(): Promise<void> {
    this.#holders.clear();
    await this.#loop?.stop();
  }

  async #look(): Promise<void> {
    const keyIds = [...this.#holders.keys()];
    if (keyIds.length === 0) return;
    const now = await readPrincipals(this.#options.db.system, keyIds);
    for (const keyId of keyIds) {
      for (const holder of this.#holders.get(keyId) ?? []) {
        if (!hasSameRights(now.get(keyId), holder.principal)) holder.onLost();
      }
    }
  }
}

function hasSameRights(now: Principal | undefined, before: Principal): boolean {
  return (
    now !== undefined &&
    now.role === before.role &&
    now.operator === before.operator &&
    now.tenant.id === before.tenant.id &&
    now.project.id === before.project.id
  );
}
