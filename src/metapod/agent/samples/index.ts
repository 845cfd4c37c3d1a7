/** Face of sampling: what a node measures every second or two, and the energy of attempts made from it. */
export { deviceJoulesBetween, MAX_GAP_MS } from './device-energy.ts';
export {
  type AttemptEnergy,
  attemptEnergy,
  type CpuUse,
  type CpuWatts,
  DEFAULT_CPU_WATTS,
  DEFAULT_DEVICE_WATTS,
  type DevicePower,
  type DeviceUse,
  devicePowerOf,
  type Energy,
  type EnergyMethod,
  meteredAs,
  sumEnergy,
} from './energy.ts';
export { type DeviceSample, type NodeSample, STALE_MS } from './sample.ts';
export { NodeSampler, type SamplerOptions } from './sampler.ts';
export { type WireSample, wireSamplesOf } from './wire.ts';
