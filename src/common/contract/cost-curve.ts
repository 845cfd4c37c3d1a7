/**
 * What energy and the network publish to the scheduler (contracts §2). They never place or defer a job themselves.
 */
import type { SiteId } from '../ids.ts';

/** Price and carbon of a site over time. All arrays have the length of `start`; slots are ordered and do not overlap. */
export interface CostCurve {
  readonly site: SiteId;
  /** Start of each slot, epoch milliseconds; a slot ends where the next one starts. */
  readonly start: Float64Array;
  /** USD per kWh at the meter, PUE not applied. */
  readonly usdPerKwh: Float64Array;
  /** gCO2e per kWh. */
  readonly gramsPerKwh: Float64Array;
  /** Forecast error bands by quantile (0.1, 0.5, 0.9, …) of gramsPerKwh; empty for measured values. */
  readonly quantiles: ReadonlyMap<number, Float64Array>;
  readonly source: string;
  /** Instant at which the values were known, epoch milliseconds. */
  readonly vintage: number;
}
