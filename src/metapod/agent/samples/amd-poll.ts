/**
 * Polls amd-smi (or rocm-smi, where only that one is installed) while the sampler runs.
 *
 * Both are Python programs that take up to a second, so one call is in flight at a time and the pause between calls
 * is at least as long as the call took: sampling never takes more than half a CPU. Failures lengthen the pause.
 */
import type { DiscoveredDevice, Outside } from '../discovery/index.ts';
import { AMD_ARGUMENTS, amdReadingsOf, ROCM_ARGUMENTS, rocmReadingsOf } from './amd-reading.ts';
import type { DeviceReading } from './sample.ts';

export type PollOptions = {
  outside: Outside;
  devices: readonly DiscoveredDevice[];
  onReading(reading: DeviceReading): void;
  /** Shortest pause between two calls, milliseconds. */
  pauseMs?: number;
  maxPauseMs?: number;
};

const TIMEOUT_MS = 10_000;

export class AmdPoll {
  readonly #options: Required<PollOptions>;
  #timer: NodeJS.Timeout | null = null;
  #running: Promise<void> | null = null;
  #stopped = true;
  #failures = 0;

  constructor(options: PollOptions) {
    this.#options = { pauseMs: 1000, maxPauseMs: 60_000, ...options };
  }

  start(): void {
    if (!this.#stopped) return;
    this.#stopped = false;
    this.#next(0);
  }

  /** Starts no further call and waits for the one in flight. */
  async stop(): Promise<void> {
    this.#stopped = true;
    if (this.#timer !== null) clearTimeout(this.#timer);
    await this.#running;
  }

  #next(pauseMs: number): void {
    this.#timer = setTimeout(() => {
      this.#running = this.#poll();
    }, pauseMs);
    this.#timer.unref();
  }

  async #poll(): Promise<void> {
    const began = performance.now();
    const readings = await this.#read();
    if (this.#stopped) return;
    for (const reading of readings ?? []) this.#options.onReading(reading);
    this.#failures = readings === null ? this.#failures + 1 : 0;
    const { pauseMs, maxPauseMs } = this.#options;
    const pause = Math.max(pauseMs * 2 ** Math.min(this.#failures, 16), performance.now() - began);
    this.#next(Math.min(maxPauseMs, pause));
  }

  async #read(): Promise<DeviceReading[] | null> {
    const { outside, devices } = this.#options;
    const amd = await outside.run('amd-smi', AMD_ARGUMENTS, TIMEOUT_MS);
    if (amd.kind === 'ok') return amdReadingsOf(amd.stdout, devices);
    if (amd.kind !== 'missing') return null;
    const rocm = await outside.run('rocm-smi', ROCM_ARGUMENTS, TIMEOUT_MS);
    return rocm.kind === 'ok' ? rocmReadingsOf(rocm.stdout, devices) : null;
  }
}
