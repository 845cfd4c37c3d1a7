/**
 * When silence may be blamed on a node.
 *
 * The database's clock says how old a heartbeat is, but three things make every heartbeat look old though all nodes are well: this
 * process was away (started just now, suspended, database gone), so nobody recorded heartbeats; the database's clock was set. In
 * each case nodes get a full grace from then on to be heard. Pure: instants come in.
 */

/** Grace after which silence counts again, seconds: what makes a node lost, and one heartbeat more to reconnect. */
export interface WatchOptions {
  readonly graceSeconds: number;
  /** A pause between two looks longer than this was an absence, seconds. */
  readonly absenceSeconds: number;
  /** The two clocks may differ by so much between two looks, seconds. */
  readonly jumpSeconds: number;
}

export class PresenceWatch {
  readonly #options: WatchOptions;
  #last: { monotonicMs: number; databaseMs: number } | undefined;
  #graceFromMs = 0;

  constructor(options: WatchOptions) {
    this.#options = options;
  }

  /**
   * Whether silent nodes may be called lost at this look.
   *
   * @param monotonicMs of this process
   * @param databaseMs the database's wall clock, epoch milliseconds
   */
  look(monotonicMs: number, databaseMs: number): boolean {
    const { graceSeconds, absenceSeconds, jumpSeconds } = this.#options;
    const last = this.#last;
    this.#last = { monotonicMs, databaseMs };
    const passed = last ? monotonicMs - last.monotonicMs : Number.POSITIVE_INFINITY;
    const jump = last ? Math.abs(databaseMs - last.databaseMs - passed) : 0;
    if (passed > absenceSeconds * 1000 || jump > jumpSeconds * 1000) this.#graceFromMs = monotonicMs;
    return monotonicMs - this.#graceFromMs >= graceSeconds * 1000;
  }
}
