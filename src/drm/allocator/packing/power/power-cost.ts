/**
 * What a placement costs in power, in the unit of packing, so that the two can be added: thousandths of a device.
 *
 * An idle device that is woken draws its busy instead of its idle power, and a processor likewise; sharing what is awake draws no more
 * (the model of Lettich et al., CCGrid'25). How much a watt is worth depends on the load: while most of the fleet is free, waste of space hurts
 * nobody and power is what can be saved; when it fills up, space is what is missing. A fixed weight must choose one of the two.
 */

export interface PowerFigures {
  /** By device type: what a device draws that nobody holds a part of, and one that somebody does, watts ≥ 0. */
  readonly deviceIdleWatts: Float64Array;
  readonly deviceBusyWatts: Float64Array;
  readonly processor: ProcessorFigures;
}

/** Every node is taken to have as many of these processors as its cpu fills. */
export interface ProcessorFigures {
  /** Cores of one, and hardware threads of each: a thread is 1000 thousandths of cpu. */
  readonly cores: number;
  readonly threadsPerCore: number;
  /** What one draws none of whose cores is used, and any other, watts ≥ 0. */
  readonly idleWatts: number;
  readonly busyWatts: number;
}

/**
 * What a watt is worth on an idle fleet, thousandths of a device: waking a device of 100 W weighs as much as losing two. With half of it,
 * bench `power` saves a point less.
 */
const idleMilliPerWatt = 20;

/** What a watt is worth, thousandths of a device. @param load share of the fleet's devices that is held, 0..1; otherwise it is worth nothing */
export function milliPerWatt(load: number): number {
  return load >= 0 && load <= 1 ? idleMilliPerWatt * (1 - load) ** 2 : 0;
}

export class PowerCost {
  readonly #figures: PowerFigures;
  readonly #mostWaking: number;
  /** Thousandths of a device that a watt is worth. */
  readonly milliPerWatt: number;

  /** @param load share of the fleet's devices that is held, 0..1 */
  constructor(figures: PowerFigures, load: number) {
    this.#figures = figures;
    this.milliPerWatt = milliPerWatt(load);
    let most = 0;
    for (let type = 0; type < figures.deviceBusyWatts.length; type += 1) most = Math.max(most, this.wakingWatts(type));
    this.#mostWaking = most;
  }

  /** Watts that waking a device of a type adds, ≥ 0; 0 for types without figures. */
  wakingWatts(type: number): number {
    const added = this.#figures.deviceBusyWatts[type]! - this.#figures.deviceIdleWatts[type]!;
    return added > 0 && Number.isFinite(added) ? added : 0;
  }

  /**
   * Watts that taking cpu of a node adds, ≥ 0.
   * @param capacity thousandths of a thread, as are `free`, what is free now, and `taken`
   */
  processorWatts(capacity: number, free: number, taken: number): number {
    const { idleWatts, busyWatts } = this.#figures.processor;
    const woken = this.#awake(capacity, free - taken) - this.#awake(capacity, free);
    return woken > 0 ? woken * (busyWatts - idleWatts) : 0;
  }

  /** Watts that a placement adds at most. @param devices how many it takes  @param cpuMilli thousandths of a thread */
  mostAdded(devices: number, cpuMilli: number): number {
    const { cores, threadsPerCore, idleWatts, busyWatts } = this.#figures.processor;
    const processors = Math.ceil(cpuMilli / (1000 * threadsPerCore * cores)) + 1;
    return devices * this.#mostWaking + processors * Math.max(0, busyWatts - idleWatts);
  }

  #awake(capacity: number, free: number): number {
    const { cores, threadsPerCore } = this.#figures.processor;
    const usedCores = Math.ceil(capacity / (1000 * threadsPerCore)) - Math.floor(free / (1000 * threadsPerCore));
    return Math.ceil(usedCores / cores);
  }
}
