/**
 * A sample in the words of the agent protocol: numbers by name for the node and for each device.
 * What is unknown is left out; a device's subject is its uuid, the node's is `node`.
 */
import type { AgentMessage } from '../../../common/contract/agent/protocol.ts';
import type { NodeSample } from './sample.ts';

type Heartbeat = Extract<AgentMessage, { type: 'heartbeat' }>;
export type WireSample = NonNullable<Heartbeat['samples']>[number];

/** Samples of a heartbeat: `node` first, then the devices. */
export function wireSamplesOf(sample: NodeSample): WireSample[] {
  const { cpuUtilizationRatio, memoryUsedBytes, cpuEnergyJoulesTotal } = sample;
  const devices = sample.devices.map((device) => {
    const { uuid, utilizationRatio, powerWatts, temperatureCelsius, energyJoulesTotal, throttleReasons } = device;
    const throttled = throttleReasons.length > 0 ? 1 : 0;
    const numbers = { utilizationRatio, memoryUsedBytes: device.memoryUsedBytes, powerWatts, temperatureCelsius };
    return { subject: uuid, data: told({ ...numbers, energyJoulesTotal, throttled }) };
  });
  return [{ subject: 'node', data: told({ cpuUtilizationRatio, memoryUsedBytes, cpuEnergyJoulesTotal }) }, ...devices];
}

function told(numbers: Record<string, number | null>): Record<string, number> {
  const pairs = Object.entries(numbers).filter((pair): pair is [string, number] => pair[1] !== null);
  return Object.fromEntries(pairs);
}
