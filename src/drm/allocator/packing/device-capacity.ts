/**
 * How much of each device may be given.
 *
 * A device and its slices are one family on one piece of silicon. The node reports either the whole or its slices, the
 * others with `observed` 0. As long as something is held that the node no longer reports (a device that died, a parent that was
 * re-sliced under its holder, a slice that was merged), the report contradicts what was given: then the family gives out nothing
 * new, and each member keeps just what is used of it. Otherwise `capacity = max(used, observed)`.
 */
import type { DeviceCounters } from './counters.ts';

/** Recomputes `milli` of devices. Families must be complete: a parent comes with all its slices. */
export function withCapacity<D extends DeviceCounters>(devices: readonly D[]): D[] {
  const familyOf = (device: D) => device.parentId ?? device.id;
  const contradicted = new Set(devices.filter(isHeldButGone).map(familyOf));
  return devices.map((device) => {
    const observed = contradicted.has(familyOf(device)) ? 0 : device.observedMilli;
    const milli = Math.max(device.usedMilli, observed);
    return milli === device.milli ? device : { ...device, milli };
  });
}

/** Whether somebody holds something of a device that its node no longer reports. */
export const isHeldButGone = (device: DeviceCounters): boolean => device.observedMilli === 0 && device.usedMilli > 0;
