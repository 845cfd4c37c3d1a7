/**
 * One long-running nvidia-smi per node.
 *
 * Starting nvidia-smi for every sample costs 50 ms to seconds of CPU each time (it initialises the driver); one child
 * that prints every second costs almost nothing. It is restarted with growing pauses when it dies, and killed and
 * restarted when it falls silent (a GPU that fell off the bus hangs it). It dies with the agent: it is killed by
 * `stop`, and after a SIGKILL of the agent by the broken pipe at its next line.
 */

import type { Followed, Outside } from '../discovery/index.ts';
import { refusedField, withoutField } from '../discovery/nvidia/query.ts';
import { nvidiaReadingOf, SAMPLE_FIELDS, streamArguments } from './nvidia-reading.ts';
import type { DeviceReading } from './sample.ts';

export type StreamOptions = {
  outside: Outside;
  onReading(reading: DeviceReading): void;
  /** First pause before a restart, milliseconds; doubles up to `maxBackoffMs`, and starts anew after a reading. */
  backoffMs?: number;
  maxBackoffMs?: number;
  /** Silence after which the child is taken for hung, milliseconds. */
  silenceMs?: number;
};

export class NvidiaStream {
  readonly #outside: Outside;
  readonly #onReading: (reading: DeviceReading) => void;
  readonly #firstBackoffMs: number;
  readonly #maxBackoffMs: number;
  readonly #silenceMs: number;
  #fields: string[] = [...SAMPLE_FIELDS];
  #child: Followed | null = null;
  #backoffMs: number;
  #restart: NodeJS.Timeout | null = null;
  #watchdog: NodeJS.Timeout | null = null;
  #stopped = true;

  constructor({ outside, onReading, backoffMs = 1000, maxBackoffMs = 60_000, silenceMs = 10_000 }: StreamOptions) {
    this.#outside = outside;
    this.#onReading = onReading;
    this.#firstBackoffMs = backoffMs;
    this.#backoffMs = backoffMs;
    this.#maxBackoffMs = maxBackoffMs;
    this.#silenceMs = silenceMs;
  }

  /** Starts the child; without effect when it runs. */
  start(): void {
    if (!this.#stopped) return;
    this.#stopped = false;
    this.#launch();
  }

  /** Kills the child and waits for its end; nothing is started after it. */
  async stop(): Promise<void> {
    this.#stopped = true;
    if (this.#restart !== null) clearTimeout(this.#restart);
    if (this.#watchdog !== null) clearTimeout(this.#watchdog);
    this.#restart = null;
    this.#watchdog = null;
    await this.#child?.stop();
    this.#child = null;
  }

  #launch(): void {
    let refused: string | null = null;
    const fields = this.#fields;
    this.#child = this.#outside.follow('nvidia-smi', streamArguments(fields), {
      line: (text) => {
        refused ??= refusedField(text);
        const reading = nvidiaReadingOf(fields, text);
        if (reading === null || this.#stopped) return;
        this.#backoffMs = this.#firstBackoffMs;
        this.#watch();
        this.#onReading(reading);
      },
      ended: (reason) => this.#ended(refused ?? refusedField(reason)),
    });
    this.#watch();
  }

  #ended(refused: string | null): void {
    this.#child = null;
    if (this.#watchdog !== null) clearTimeout(this.#watchdog);
    if (this.#stopped) return;
    // An unknown field is answered at once; the list only gets shorter or older, so this ends.
    const adapted = refused !== null && this.#fields.includes(refused);
    if (adapted) this.#fields = withoutField(this.#fields, refused);
    const pause = adapted ? 0 : this.#backoffMs;
    if (!adapted) this.#backoffMs = Math.min(this.#maxBackoffMs, this.#backoffMs * 2);
    this.#restart = setTimeout(() => {
      if (!this.#stopped) this.#launch();
    }, pause);
    this.#restart.unref();
  }

  #watch(): void {
    if (this.#watchdog !== null) clearTimeout(this.#watchdog);
    this.#watchdog = setTimeout(() => void this.#child?.stop(), this.#silenceMs);
    this.#watchdog.unref();
  }
}
