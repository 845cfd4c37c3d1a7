/**
 * How many bytes of logs may be on the way at a time.
 *
 * What was given to the socket cannot be overtaken: a heartbeat behind a megabyte of log lines takes a minute on a slow line, and by then
 * the node counts as lost. So the window grows while answers come quickly and shrinks when they do not, as TCP's own does, which
 * knows of no heartbeats. It begins small, and four quick answers bring it to the server's credit.
 */
const startBytes = 64 * 1024;
/** About half a second's worth on the slowest line that is worth having. */
const leastBytes = 8 * 1024;
/** Answers within the first are quick, later than the second slow, milliseconds; a heartbeat may wait three times as long as slow. */
const quickMs = 500;
const slowMs = 2_000;

export class LogWindow {
  readonly #mostBytes: number;
  #bytes: number;

  /** @param creditBytes what the server grants; 0: nothing may be sent */
  constructor(creditBytes: number) {
    this.#mostBytes = creditBytes;
    this.#bytes = Math.min(startBytes, creditBytes);
  }

  get bytes(): number {
    return this.#bytes;
  }

  /** About how large one frame should be, so that there are answers to learn from. */
  get frameBytes(): number {
    return Math.max(leastBytes, Math.floor(this.#bytes / 4));
  }

  /** An answer came after so many milliseconds. */
  took(milliseconds: number): void {
    if (milliseconds <= quickMs) this.#bytes = Math.min(this.#mostBytes, this.#bytes * 2);
    else if (milliseconds > slowMs) this.#bytes = Math.min(this.#mostBytes, Math.max(leastBytes, this.#bytes / 2));
  }
}
