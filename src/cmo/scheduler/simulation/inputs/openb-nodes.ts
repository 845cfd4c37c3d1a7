/** Reads a node list of Alibaba's openb as a fleet of one site: `sn,cpu_milli,memory_mib,gpu,model`. */
import { type CsvRow, readCsv } from '../traces/csv-table.ts';
import { numberField, TraceError } from '../traces/trace-error.ts';
import type { Cluster, SimulatedNode } from './cluster-file.ts';

const siteId = 'openb';

export const isNodeList = (text: string): boolean => /^\s*sn,cpu_milli,/.test(text);

/** @throws TraceError naming the line */
export function readNodeList(text: string): Cluster {
  const nodes = readCsv(text, ['sn', 'cpu_milli', 'memory_mib', 'gpu', 'model']).map(nodeOf);
  if (nodes.length === 0) throw new TraceError(1, 'there is no node below the header');
  const price = { deviceUsdPerHour: 1e6, cpuUsdPerHour: 1e4, memoryUsdPerHour: 1e3 };
  return { name: siteId, sites: [{ id: siteId, ...price }], nodes, failures: null, accounts: [] };
}

function nodeOf({ line, field }: CsvRow): SimulatedNode {
  const whole = (name: string, most: number) => {
    const value = numberField(line, name, field(name));
    if (Number.isInteger(value) && value >= 0 && value <= most) return value;
    throw new TraceError(line, `${name} must be a whole number of 0–${most}, not ${field(name)}`);
  };
  const count = whole('gpu', 1000);
  const model = field('model') || 'generic';
  return {
    id: field('sn') ?? '',
    siteId,
    cpuMilli: whole('cpu_milli', 1e9),
    memoryBytes: whole('memory_mib', 1e9) * 2 ** 20,
    diskBytes: 2 ** 40,
    devices: count === 0 ? [] : [{ kind: 'gpu', model, memoryBytes: 16 * 2 ** 30, count }],
  };
}
