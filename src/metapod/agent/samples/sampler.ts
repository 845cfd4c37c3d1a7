/**
 * The node's sampler: cheap enough for every second.
 *
 * Devices report by themselves (one nvidia-smi child, amd-smi polled) into a table of latest samples; `sampleNode`
 * reads a few files of /proc and /sys and copies that table. No device, no child. It never throws.
 */
import { type Clock, systemClock } from '../../../common/clock.ts';
import type { DiscoveredDevice, Outside } from '../discovery/index.ts';
import { AmdPoll } from './amd-poll.ts';
import { nextDeviceSample } from './device-energy.ts';
import { type CpuTimes, cpuTimesOf, memoryUsedOf, utilizationBetween } from './host.ts';
import { NvidiaStream } from './nvidia-stream.ts';
import { RaplMeter } from './rapl.ts';
import { type DeviceReading, type DeviceSample, type NodeSample, STALE_MS } from './sample.ts';

export type SamplerOptions = {
  outside: Outside;
  /** What discovery found; readings of other devices are ignored. */
  devices: readonly DiscoveredDevice[];
  clock?: Clock;
};

export class NodeSampler {
  readonly #outside: Outside;
  readonly #clock: Clock;
  readonly #known: ReadonlySet<string>;
  readonly #latest = new Map<string, DeviceSample>();
  readonly #rapl: RaplMeter;
  readonly #feeds: (NvidiaStream | AmdPoll)[] = [];
  #cpu: CpuTimes | null = null;

  constructor({ outside, devices, clock = systemClock }: SamplerOptions) {
    this.#outside = outside;
    this.#clock = clock;
    this.#known = new Set(devices.map((device) => device.uuid));
    this.#rapl = new RaplMeter(outside);
    const onReading = (reading: DeviceReading) => this.#take(reading);
    if (devices.some((device) => device.vendor === 'nvidia'))
      this.#feeds.push(new NvidiaStream({ outside, onReading }));
    if (devices.some((device) => device.vendor === 'amd'))
      this.#feeds.push(new AmdPoll({ outside, devices, onReading }));
  }

  /** Starts listening to devices. Without devices it does nothing. */
  start(): void {
    for (const feed of this.#feeds) feed.start();
  }

  /** Ends every child and waits for it. */
  async stop(): Promise<void> {
    await Promise.all(this.#feeds.map((feed) => feed.stop()));
  }

  /** One sample; call every 1–2 s. Device readings older than 5 s are left out. */
  async sampleNode(): Promise<NodeSample> {
    const monotonicMs = this.#clock.monotonicMs();
    const cpu = cpuTimesOf((await this.#outside.readText('/proc/stat')) ?? '');
    const cpuUtilizationRatio = cpu === null || this.#cpu === null ? null : utilizationBetween(this.#cpu, cpu);
    this.#cpu = cpu;
    return {
      wallMs: this.#clock.now().getTime(),
      monotonicMs,
      cpuUtilizationRatio,
      cpuBusySecondsTotal: cpu?.busySeconds ?? null,
      memoryUsedBytes: memoryUsedOf((await this.#outside.readText('/proc/meminfo')) ?? ''),
      cpuEnergyJoulesTotal: await this.#rapl.joulesTotal(monotonicMs),
      devices: [...this.#latest.values()].filter((sample) => monotonicMs - sample.monotonicMs <= STALE_MS),
    };
  }

  #take(reading: DeviceReading): void {
    if (!this.#known.has(reading.uuid)) return;
    const before = this.#latest.get(reading.uuid);
    this.#latest.set(reading.uuid, nextDeviceSample(before, reading, this.#clock.monotonicMs()));
  }
}
