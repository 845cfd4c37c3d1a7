/** Why no node known could ever hold a job: names the first thing of which no node has enough, and how much the largest has. */

import { type PlacementSpec, siteLabelPrefix } from '../../../common/contract/placement.ts';
import { formatBytes } from '../../../common/units.ts';
import type { Capacity } from './capacity.ts';
import { countFitting } from './devices.ts';
import { inOne } from './domains.ts';
import type { Fleet } from './fleet.ts';
import type { NodeRequest } from './request.ts';
import { nodeFlag, type Snapshot } from './snapshot.ts';
import { coresOf, countOf, devicesOf } from './words.ts';

/** The most that any node has of each thing, and how many nodes offer what was asked for. */
interface Largest {
  nodes: number;
  isolated: number;
  networked: number;
  labelled: number;
  cpuMilli: number;
  memoryBytes: number;
  diskBytes: number;
  /** By request of the device list: devices of a node that would do. */
  devices: number[];
}

/** The sentence for `no_matching_node`. */
export function noMatchMessage(fleet: Fleet, request: NodeRequest, capacity: Capacity): string {
  if (capacity.mostAtAll > 0) {
    return `Needs ${countOf(request.ranks, 'node')} ${inOne(request.within)}; at most ${capacity.mostAtAll} ${inOne(request.within)} could hold a rank. Ask for fewer or smaller ranks.`;
  }
  const largest = largestOf(fleet, request);
  const { isolation, resources } = request.shape;
  if (largest.nodes === 0) return 'There is no node yet. Join one with `solyx agent`.';
  if (largest.isolated === 0) return `No node offers isolation ${isolation} or stronger.`;
  if (largest.labelled === 0) return labelsMessage(fleet.snapshot, request.shape.placement);
  if (request.hostNetwork && largest.networked === 0) return 'No node allows the host network.';
  const list = resources.deviceAlternatives[request.alternative]!;
  for (const [i, device] of list.entries()) {
    const most = largest.devices[i]!;
    if (most < device.count) return needs(devicesOf([device]), most === 0 ? 'none' : `${most} of them`);
  }
  if (!(largest.cpuMilli >= request.cpuMilli)) return needs(coresOf(request.cpuMilli), coresOf(largest.cpuMilli));
  if (!(largest.memoryBytes >= request.memoryBytes)) {
    return needs(`${formatBytes(request.memoryBytes)} of memory`, formatBytes(largest.memoryBytes));
  }
  if (!(largest.diskBytes >= request.diskBytes)) {
    return needs(`${formatBytes(request.diskBytes)} of disk`, formatBytes(largest.diskBytes));
  }
  const all = [
    ...(list.length > 0 ? [devicesOf(list)] : []),
    coresOf(request.cpuMilli),
    `${formatBytes(request.memoryBytes)} of memory`,
    `${formatBytes(request.diskBytes)} of disk`,
  ];
  return `Needs ${all.join(', ')} on one node; each is there, but no node has all of it.`;
}

const needs = (asked: string, most: string) => `Needs ${asked} on one node; the largest node has ${most}.`;

function largestOf(fleet: Fleet, request: NodeRequest): Largest {
  const { nodes, devices } = fleet.snapshot;
  const largest: Largest = {
    nodes: 0,
    isolated: 0,
    networked: 0,
    labelled: 0,
    cpuMilli: 0,
    memoryBytes: 0,
    diskBytes: 0,
    devices: request.devices.map(() => 0),
  };
  for (let row = 0; row < nodes.length; row += 1) {
    if ((nodes.flags[row]! & nodeFlag.live) === 0) continue;
    largest.nodes += 1;
    if ((nodes.isolation[row]! & request.isolationMask) >= request.isolationBit) largest.isolated += 1;
    if (nodes.flags[row]! & nodeFlag.hostNetwork) largest.networked += 1;
    if (request.labels === undefined || request.labels.allows(fleet.snapshot, row)) largest.labelled += 1;
    largest.cpuMilli = Math.max(largest.cpuMilli, nodes.cpuMilli[row]!);
    largest.memoryBytes = Math.max(largest.memoryBytes, nodes.memoryBytes[row]!);
    largest.diskBytes = Math.max(largest.diskBytes, nodes.diskBytes[row]!);
    for (const [i, device] of request.devices.entries()) {
      const found = countFitting(fleet.snapshot, row, device, { milli: devices.milli, unhealthyToo: true });
      largest.devices[i] = Math.max(largest.devices[i]!, found);
    }
  }
  return largest;
}

/** Values of a label that a sentence names. */
const mostValues = 5;

/** Which label that is required no node has, and what nodes have instead. */
function labelsMessage({ nodes, sites, labelSets }: Snapshot, placement: PlacementSpec | undefined): string {
  const live = Array.from({ length: nodes.length }, (_, row) => row).filter(
    (row) => (nodes.flags[row]! & nodeFlag.live) !== 0,
  );
  const valuesOf = (name: string): Set<string> => {
    const isSite = name.startsWith(siteLabelPrefix);
    const label = isSite ? name.slice(siteLabelPrefix.length) : name;
    const values = live.map((row) => {
      const labels = (isSite ? sites.labels?.[nodes.site[row]!] : labelSets[nodes.labelSet[row]!]) ?? {};
      return Object.hasOwn(labels, label) ? labels[label] : undefined;
    });
    return new Set(values.filter((value) => value !== undefined));
  };
  const general = 'No node has the labels that `placement` asks for';
  for (const [name, wanted] of Object.entries(placement?.require ?? {})) {
    const values = valuesOf(name);
    if (wanted.some((value) => values.has(value))) continue;
    if (values.size === 0) return `${general}: none has \`${name}\`.`;
    const some = [...values].sort().slice(0, mostValues).join(', ');
    const more = values.size > mostValues ? ` and ${values.size - mostValues} more` : '';
    return `${general}: none has \`${name}\` ${wanted.join(' or ')}; there is ${some}${more}.`;
  }
  return `${general}, all of them together and none that is to be avoided.`;
}
