/**
 * The latest sample of each node and device, outside of React.
 *
 * A thousand devices send a sample every second or two. Through React's state each of them would draw the whole page; here
 * whoever shows samples is told which ids changed, once per frame, and changes just those.
 */

/** What was measured, by name with its unit, and when. */
export interface Sample {
  readonly at: string;
  readonly data: Readonly<Record<string, number>>;
}

type Listener = (ids: ReadonlySet<string>) => void;

export class SampleStore {
  readonly #samples = new Map<string, Sample>();
  readonly #listeners = new Set<Listener>();
  #changed = new Set<string>();
  #scheduled = false;
  readonly #schedule: (work: () => void) => void;

  /** @param schedule runs work a little later; default: with the next frame */
  constructor(schedule: (work: () => void) => void = (work) => requestAnimationFrame(work)) {
    this.#schedule = schedule;
  }

  get(id: string): Sample | undefined {
    return this.#samples.get(id);
  }

  /** Takes samples that are not older than what is held. */
  put(samples: Iterable<{ readonly id: string; readonly sample: Sample | null }>): void {
    for (const { id, sample } of samples) {
      const held = this.#samples.get(id);
      if (sample === null || (held !== undefined && held.at >= sample.at)) continue;
      this.#samples.set(id, sample);
      this.#changed.add(id);
    }
    if (this.#changed.size === 0 || this.#scheduled) return;
    this.#scheduled = true;
    this.#schedule(() => this.#tell());
  }

  /** Tells of changes until the returned function is called. */
  onChange(listener: Listener): () => void {
    this.#listeners.add(listener);
    return () => this.#listeners.delete(listener);
  }

  #tell(): void {
    const changed = this.#changed;
    this.#changed = new Set();
    this.#scheduled = false;
    for (const listener of this.#listeners) listener(changed);
  }
}

/** How much of it works, 0–1: of a device, or of a node's CPU. Null: not measured. */
export function loadOf(sample: Sample | undefined): number | null {
  const load = sample?.data.utilizationRatio ?? sample?.data.cpuUtilizationRatio;
  return load === undefined || !Number.isFinite(load) ? null : Math.min(1, Math.max(0, load));
}

/** Steps of the ramp: 0 is idle, 10 is full. */
export const loadStep = (load: number | null): string => (load === null ? 'none' : String(Math.round(load * 10)));

/** What a sample says, for a tooltip. */
export function sampleWords(sample: Sample | undefined): string {
  if (sample === undefined) return 'nothing measured yet';
  const { utilizationRatio, cpuUtilizationRatio, memoryUsedBytes, powerWatts, temperatureCelsius } = sample.data;
  const load = utilizationRatio ?? cpuUtilizationRatio;
  const words = [
    load !== undefined && `${Math.round(load * 100)} % used`,
    memoryUsedBytes !== undefined && `${(memoryUsedBytes / 2 ** 30).toFixed(1)} GiB of memory`,
    powerWatts !== undefined && `${Math.round(powerWatts)} W`,
    temperatureCelsius !== undefined && `${Math.round(temperatureCelsius)} °C`,
  ];
  return words.filter(Boolean).join(', ') || 'nothing measured yet';
}
