/**
 * What one rank used: CPU time and memory by the supervisor's account, energy by our samples.
 */
import { uptime } from 'node:os';
import type { RankReport, StartPayload } from '../../common/contract/agent/protocol.ts';
import type { DiscoveredDevice } from './discovery/index.ts';
import { addInterval, readEnergy, writeEnergy } from './energy.ts';
import type { NodeSample } from './samples/index.ts';
import { readUsage, type Status } from './supervisor/index.ts';

/** Boot clock at the end; of an end that nobody recorded, at the supervisor's last account. */
export function endSeconds(dir: string, status: Status): number {
  if (status.endedUptime !== null) return status.endedUptime;
  const usage = readUsage(dir);
  return usage.kind === 'ok' ? usage.value.uptimeSeconds : (status.startedUptime ?? 0);
}

/** Adds the energy since the last look to the rank's sum; before it has started there is none. */
export function meterRank(
  dir: string,
  status: Status,
  hasEnded: boolean,
  look: {
    payload: StartPayload;
    devices: readonly DiscoveredDevice[];
    samples: { before: NodeSample; after: NodeSample } | null;
  },
): void {
  if (status.startedUptime === null || status.state === 'starting') return;
  const usage = readUsage(dir);
  const sum = addInterval(readEnergy(dir, status.startedUptime), {
    ...look,
    cpuSeconds: usage.kind === 'ok' ? usage.value.cpuSeconds : 0,
    untilSeconds: hasEnded ? endSeconds(dir, status) : uptime(),
  });
  writeEnergy(dir, sum);
}

/** The account for the report of its end. */
export function usageOf(dir: string, status: Status): RankReport['usage'] {
  const usage = readUsage(dir);
  const energy = readEnergy(dir, status.startedUptime ?? 0);
  return {
    cpuSeconds: usage.kind === 'ok' ? usage.value.cpuSeconds : 0,
    peakMemoryBytes: usage.kind === 'ok' ? usage.value.memoryPeakBytes : 0,
    energyJoules: energy.joules,
    energySource: energy.measured ? 'measured' : 'modelled',
  };
}
