/** The job side of commits in a simulation: what is queued at which revision, and attempts that are numbered in order. */
import type { AttemptLedger, MemoryTransaction } from '../../../drm/allocator/index.ts';

export class SimulatedLedger implements AttemptLedger<MemoryTransaction> {
  /** Queued jobs by id, with the revision that plans must name. */
  readonly queued = new Map<string, { readonly tenant: string; readonly revision: bigint }>();
  #attempts = 0;

  async claim(
    _tx: MemoryTransaction,
    wants: readonly { readonly jobId: string; readonly revision: bigint }[],
  ): Promise<Map<string, { readonly tenant: string }>> {
    const claimed = new Map<string, { readonly tenant: string }>();
    for (const { jobId, revision } of wants) {
      const job = this.queued.get(jobId);
      if (job?.revision === revision) claimed.set(jobId, job);
    }
    return claimed;
  }

  async create(
    _tx: MemoryTransaction,
    items: readonly { readonly placement: { readonly jobId: string } }[],
  ): Promise<Map<string, { readonly attemptId: string; readonly token: bigint }>> {
    return new Map(
      items.map(({ placement }) => {
        this.queued.delete(placement.jobId);
        this.#attempts += 1;
        return [placement.jobId, { attemptId: `att_${this.#attempts}`, token: BigInt(this.#attempts) }];
      }),
    );
  }
}
