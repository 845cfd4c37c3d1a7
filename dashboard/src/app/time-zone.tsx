/** In which zone instants are shown: the browser's or UTC. */
import type { Zone } from '../ui/format.ts';
import { oneOf, usePreference } from './preference.ts';

const accept = oneOf('local', 'utc');

export function useZone(): { zone: Zone; setZone: (zone: Zone) => void } {
  const [zone, setZone] = usePreference<Zone>('zone', accept, 'local');
  return { zone, setZone };
}

/** Name of the browser's zone, like `Europe/Berlin`. */
export const localZoneName = (): string => Intl.DateTimeFormat().resolvedOptions().timeZone;
