/**
 * Shapes: what of a job matters to placement, so that a thousand equal tasks cost one evaluation.
 *
 * The key is a canonical text (fixed order of fields, models sorted), so equal keys mean equal shapes whoever made them.
 */
import { isolationOf } from '../../../common/contract/image.ts';
import { type DeviceRequest, deviceKinds, type JobSpec } from '../../../common/contract/job-spec.ts';
import type { PlacementSpec } from '../../../common/contract/placement.ts';
import { isolationLevels } from '../../../common/contract/states/node.ts';
import { withNeighbourRules } from './neighbours/rules.ts';
import { isolationBit, isolationMask, type Shape } from './snapshot.ts';

/** The shape of a normalised spec. */
export function shapeOf(
  spec: Pick<JobSpec, 'image' | 'resources' | 'isolation' | 'network' | 'pricing' | 'placement'> &
    Partial<Pick<JobSpec, 'labels'>>,
): Shape {
  const { resources, network } = spec;
  const isolation = isolationOf(spec);
  const limit = spec.pricing.maxPricePerHour;
  const maxUsdPerHour = limit === undefined ? Number.POSITIVE_INFINITY : Number(limit);
  const key = JSON.stringify([
    resources.cpuMilli,
    resources.memoryBytes,
    resources.diskBytes,
    resources.nodes,
    isolation,
    network,
    limit ?? null,
    resources.deviceAlternatives.map((list) => list.map(requestKey)),
    ...(spec.placement === undefined ? [] : [placementKey(spec.placement)]),
  ]);
  const placement = spec.placement === undefined ? {} : { placement: spec.placement };
  const base = { key, resources, isolation, network, maxUsdPerHour, ...placement };
  return withNeighbourRules(base, spec.placement, spec.labels ?? {});
}

function placementKey({ require, avoid, prefer, together }: PlacementSpec): unknown[] {
  const sorted = (labels: Readonly<Record<string, readonly string[]>>) =>
    Object.keys(labels)
      .sort()
      .map((name) => [name, [...labels[name]!].sort()]);
  return [sorted(require), sorted(avoid), sorted(prefer), together?.required ?? null, together?.preferred ?? null];
}

function requestKey(request: DeviceRequest): unknown[] {
  const models = request.models.map((model) => model.toLowerCase()).sort();
  return [request.kind, models, request.minMemoryBytes, request.count, request.milli, request.minDriver];
}

const amount = (value: number) => Number.isFinite(value) && value >= 0;

/** Says why a shape can never be placed whatever the fleet, or undefined when it makes sense. */
export function faultOfShape(shape: Shape): string | undefined {
  const { resources } = shape;
  if (!amount(resources.cpuMilli)) return `cpuMilli is ${resources.cpuMilli}`;
  if (!amount(resources.memoryBytes)) return `memoryBytes is ${resources.memoryBytes}`;
  if (!amount(resources.diskBytes)) return `diskBytes is ${resources.diskBytes}`;
  if (!Number.isInteger(resources.nodes) || resources.nodes < 1) return `nodes is ${resources.nodes}`;
  if (!(shape.maxUsdPerHour >= 0)) return `maxPricePerHour is ${shape.maxUsdPerHour}`;
  if (isolationBit[shape.isolation] === undefined) return `isolation is ${shape.isolation}`;
  if (shape.network !== 'none' && shape.network !== 'host') return `network is ${shape.network}`;
  if (resources.deviceAlternatives.length === 0) return 'the list of device alternatives is empty';
  for (const request of resources.deviceAlternatives.flat()) {
    const fault = faultOfRequest(request);
    if (fault !== undefined) return fault;
  }
  return undefined;
}

function faultOfRequest(request: DeviceRequest): string | undefined {
  if (!deviceKinds.includes(request.kind)) return `device kind is ${request.kind}`;
  if (!Number.isInteger(request.count) || request.count < 1) return `device count is ${request.count}`;
  if (!Number.isInteger(request.milli) || request.milli < 1 || request.milli > 1000) {
    return `device share is ${request.milli} thousandths`;
  }
  if (!amount(request.minMemoryBytes)) return `device memory is ${request.minMemoryBytes}`;
  return undefined;
}

/**
 * The level at which a node runs a job: the weakest that it offers and that is at least what was asked for.
 * @param offered bits of `isolationBit`
 * @returns undefined when the node offers neither that level nor a stronger one
 */
export function isolationUsed(offered: number, asked: Shape['isolation']): Shape['isolation'] | undefined {
  const usable = offered & isolationMask(asked);
  return isolationLevels.find((level) => isolationBit[level] >= isolationBit[asked] && usable & isolationBit[level]);
}

/** Compares versions number by number ("535.104" < "550"); a missing part counts as 0. Unreadable parts make it false. */
export function versionAtLeast(version: string, least: string): boolean {
  const a = version.split('.').map(Number);
  const b = least.split('.').map(Number);
  for (let i = 0; i < Math.max(a.length, b.length); i += 1) {
    const difference = (a[i] ?? 0) - (b[i] ?? 0);
    if (Number.isNaN(difference)) return false;
    if (difference !== 0) return difference > 0;
  }
  return true;
}
