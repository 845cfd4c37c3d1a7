/**
 * Reads that many sockets want at once, made once.
 *
 * After a restart a thousand browsers ask for the same page within a second. Reads wait for one of a few places, and whoever asks
 * for the same while a read still waits gets its answer; one that has begun is not joined, since it may not see what the new
 * asker was promised.
 */

/** Reads at a time; the rest of the pool is for requests. */
const mostAtOnce = 4;

export class SharedReads {
  readonly #waiting = new Map<string, Promise<unknown>>();
  readonly #queue: (() => void)[] = [];
  #running = 0;

  /** Runs `read` when there is a place, or joins one of the same key that has not begun. */
  share<T>(key: string, read: () => Promise<T>): Promise<T> {
    const waiting = this.#waiting.get(key);
    if (waiting) return waiting as Promise<T>;
    const answer = this.#run(key, read);
    this.#waiting.set(key, answer);
    return answer;
  }

  async #run<T>(key: string, read: () => Promise<T>): Promise<T> {
    if (this.#running >= mostAtOnce) await new Promise<void>((resolve) => this.#queue.push(resolve));
    else {
      this.#running += 1;
      // Askers of the same moment join before it begins.
      await null;
    }
    this.#waiting.delete(key);
    try {
      return await read();
    } finally {
      // The place is handed on, so nobody new can slip in before those who wait.
      const next = this.#queue.shift();
      if (next) next();
      else this.#running -= 1;
    }
  }
}
