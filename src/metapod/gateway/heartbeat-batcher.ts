/**
 * Heartbeats of all sockets in one write a quarter second, instead of one transaction a node.
 *
 * A heartbeat is acknowledged only after the tracker has it, because the node counts its lease from the sending of an
 * acknowledged one (contracts §3). What cannot be written is not acknowledged, and the next one tries again.
 */
import type { Logger } from '../../common/logger.ts';

export interface NodeHeartbeat {
  readonly nodeId: string;
  /** Changes with every boot of the machine. */
  readonly bootId: string;
  /** Latest samples by device uuid; `node` is the node itself. */
  readonly samples: readonly { readonly subject: string; readonly data: Record<string, number> }[];
}

const gatherMs = 250;

export class HeartbeatBatcher {
  readonly #record: (heartbeats: readonly NodeHeartbeat[]) => Promise<void>;
  readonly #logger: Logger;
  #waiting = new Map<string, { heartbeat: NodeHeartbeat; acks: (() => void)[] }>();
  #flushing: Promise<void> | undefined;

  constructor(record: (heartbeats: readonly NodeHeartbeat[]) => Promise<void>, logger: Logger) {
    this.#record = record;
    this.#logger = logger;
  }

  /** Takes a heartbeat; `ack` is called once it is recorded. Of two from one node in one batch the later counts. */
  add(heartbeat: NodeHeartbeat, ack: () => void): void {
    const acks = this.#waiting.get(heartbeat.nodeId)?.acks ?? [];
    this.#waiting.set(heartbeat.nodeId, { heartbeat, acks: [...acks, ack] });
    this.#flushing ??= this.#flush().finally(() => {
      this.#flushing = undefined;
    });
  }

  /** Resolves when nothing is being written. */
  async idle(): Promise<void> {
    await this.#flushing;
  }

  async #flush(): Promise<void> {
    while (this.#waiting.size > 0) {
      await new Promise((resolve) => setTimeout(resolve, gatherMs));
      const batch = [...this.#waiting.values()];
      this.#waiting = new Map();
      try {
        await this.#record(batch.map((item) => item.heartbeat));
        for (const item of batch) for (const ack of item.acks) ack();
      } catch (error) {
        this.#logger.warn({ err: error, nodes: batch.length }, 'heartbeats were not recorded and not acknowledged');
      }
    }
  }
}
