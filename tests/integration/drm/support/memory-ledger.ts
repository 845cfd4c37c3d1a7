/** Jobs in memory: what the ledger of cmo/jobs does, for the store in memory. Each job is queued once, at revision 1. */
import type { Placement } from '../../../../src/common/contract/plan.ts';
import type { AttemptLedger, MemoryTransaction } from '../../../../src/drm/allocator/index.ts';

export class MemoryLedger implements AttemptLedger<MemoryTransaction> {
  readonly #queued: Set<string>;
  readonly #tenant: string;
  #token = 0n;

  constructor(jobs: readonly string[], tenant: string) {
    this.#queued = new Set(jobs);
    this.#tenant = tenant;
  }

  async claim(_tx: MemoryTransaction, wants: readonly { readonly jobId: string; readonly revision: bigint }[]) {
    const fresh = wants.filter(({ jobId, revision }) => revision === 1n && this.#queued.has(jobId));
    return new Map(fresh.map(({ jobId }) => [jobId, { tenant: this.#tenant }]));
  }

  async create(_tx: MemoryTransaction, items: readonly { readonly placement: Placement }[]) {
    const made = new Map<string, { attemptId: string; token: bigint }>();
    for (const { placement } of items) {
      this.#queued.delete(placement.jobId);
      this.#token += 1n;
      made.set(placement.jobId, { attemptId: `attempt-of-${placement.jobId}`, token: this.#token });
    }
    return made;
  }
}
