/**
 * Adds up the energy of ranks from sample to sample, and keeps the sum on disk so that a new agent goes on with it.
 *
 * What passed while no agent looked is one long interval whose CPU seconds the supervisor has counted; its energy is
 * modelled, and the whole sum is then marked so.
 */
import { join } from 'node:path';
import { z } from 'zod';
import type { StartPayload } from '../../common/contract/agent/protocol.ts';
import type { DiscoveredDevice } from './discovery/index.ts';
import { attemptEnergy, deviceJoulesBetween, devicePowerOf, meteredAs, type NodeSample } from './samples/index.ts';
import { readJson, writeAtomic } from './supervisor/files.ts';

const sumFile = z.object({
  joules: z.number().min(0),
  measured: z.boolean(),
  cpuSeconds: z.number().min(0),
  /** Boot clock up to which the sum goes, seconds. */
  untilSeconds: z.number(),
});
export type EnergySum = z.infer<typeof sumFile>;

const fileName = 'energy.json';

export interface EnergyInterval {
  readonly payload: StartPayload;
  readonly devices: readonly DiscoveredDevice[];
  /** Two looks at the node, or null where the interval began before this agent. */
  readonly samples: { readonly before: NodeSample; readonly after: NodeSample } | null;
  /** CPU time that the rank has spent in all, seconds. */
  readonly cpuSeconds: number;
  /** Boot clock at the end of the interval, seconds. */
  readonly untilSeconds: number;
}

/** The sum so far; begins at `startedSeconds` of the boot clock. */
export function readEnergy(dir: string, startedSeconds: number): EnergySum {
  const found = readJson(join(dir, fileName));
  const parsed = found.kind === 'ok' ? sumFile.safeParse(found.value) : undefined;
  return parsed?.success ? parsed.data : { joules: 0, measured: true, cpuSeconds: 0, untilSeconds: startedSeconds };
}

/** Not flushed: after a power cut a part is modelled again, which is what `measured: false` then says. */
export function writeEnergy(dir: string, sum: EnergySum): void {
  writeAtomic(join(dir, fileName), JSON.stringify(sum), false);
}

/** The sum with one more interval. Pure. */
export function addInterval(sum: EnergySum, interval: EnergyInterval): EnergySum {
  const seconds = Math.max(0, interval.untilSeconds - sum.untilSeconds);
  const cpuSeconds = Math.max(0, interval.cpuSeconds - sum.cpuSeconds);
  if (seconds === 0 && cpuSeconds === 0) return sum;
  const { payload, samples } = interval;
  const part = attemptEnergy(
    seconds,
    {
      cores: payload.cpuMilli / 1000,
      cpuSeconds,
      node: samples === null ? null : nodeUse(samples.before, samples.after),
    },
    payload.devices.map(({ uuid, milli }) => deviceUse(uuid, milli, interval)),
  );
  return {
    joules: sum.joules + part.joules,
    measured: sum.measured && part.method === 'measured',
    cpuSeconds: Math.max(sum.cpuSeconds, interval.cpuSeconds),
    untilSeconds: interval.untilSeconds,
  };
}

function nodeUse(before: NodeSample, after: NodeSample): { joules: number; busyCpuSeconds: number } | null {
  if (before.cpuEnergyJoulesTotal === null || after.cpuEnergyJoulesTotal === null) return null;
  if (before.cpuBusySecondsTotal === null || after.cpuBusySecondsTotal === null) return null;
  return {
    joules: after.cpuEnergyJoulesTotal - before.cpuEnergyJoulesTotal,
    busyCpuSeconds: after.cpuBusySecondsTotal - before.cpuBusySecondsTotal,
  };
}

function deviceUse(uuid: string, milli: number, { devices, samples }: EnergyInterval) {
  const device = devices.find((candidate) => candidate.uuid === uuid);
  const metered = device === undefined ? { uuid, milli } : meteredAs(device, milli);
  const carrier = devices.find((candidate) => candidate.uuid === metered.uuid) ?? device;
  const before = samples?.before.devices.find((sample) => sample.uuid === metered.uuid);
  const after = samples?.after.devices.find((sample) => sample.uuid === metered.uuid);
  return {
    milli: metered.milli,
    joules: before === undefined || after === undefined ? null : deviceJoulesBetween(before, after),
    utilizationRatio: after?.utilizationRatio ?? null,
    power: devicePowerOf(carrier ?? { fullName: '', powerCapWatts: null }),
  };
}
