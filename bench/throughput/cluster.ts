/** Synthetic clusters: racks of equal nodes of five makes, as a site buys them. */
import type { DeviceRow, NodeRow, SiteRow } from '../../src/cmo/scheduler/core/rows.ts';

export const gibibyte = 2 ** 30;

export const site: SiteRow = {
  id: 'site',
  deviceUsdPerHour: 2_000_000,
  cpuUsdPerHour: 10_000,
  memoryUsdPerHour: 1_000,
  pue: 1.1,
  revision: 1,
};

interface Make {
  readonly model: string;
  readonly devices: number;
  readonly deviceGib: number;
  readonly cores: number;
  readonly memoryGib: number;
}

/** One make a rack of 20 nodes, in turn. */
const makes: readonly Make[] = [
  { model: 'H100', devices: 8, deviceGib: 80, cores: 128, memoryGib: 1024 },
  { model: 'A100', devices: 8, deviceGib: 40, cores: 96, memoryGib: 512 },
  { model: 'L4', devices: 4, deviceGib: 24, cores: 64, memoryGib: 256 },
  { model: 'T4', devices: 2, deviceGib: 16, cores: 48, memoryGib: 192 },
  { model: '', devices: 0, deviceGib: 0, cores: 64, memoryGib: 256 },
];

export const nodeId = (index: number): string => `node_${String(index).padStart(6, '0')}`;

export function nodeRows(count: number): NodeRow[] {
  return Array.from({ length: count }, (_, i) => {
    const make = makes[Math.floor(i / 20) % makes.length]!;
    const id = nodeId(i);
    return {
      id,
      siteId: site.id,
      presence: 'ready',
      scheduling: 'open',
      health: 'ok',
      isolation: ['sandbox'],
      hostNetwork: false,
      cpuMilli: make.cores * 1000,
      memoryBytes: make.memoryGib * gibibyte,
      diskBytes: 1000 * gibibyte,
      usedCpuMilli: 0,
      usedMemoryBytes: 0,
      usedDiskBytes: 0,
      devices: Array.from({ length: make.devices }, (_, at) => deviceRow(`${id}/${at}`, make)),
      revision: 1,
    };
  });
}

function deviceRow(id: string, { model, deviceGib }: Make): DeviceRow {
  return {
    id,
    kind: 'gpu',
    model,
    driver: '550.54',
    memoryBytes: deviceGib * gibibyte,
    milli: 1000,
    usedMilli: 0,
    healthy: true,
  };
}
