/**
 * Says what is wrong with a plan, by plain rows and loops: it shares no code with the scheduler that it checks.
 */

import type { DeviceRow, NodeRow, SiteRow } from '../../../../../src/cmo/scheduler/core/rows.ts';
import type { PendingJob } from '../../../../../src/cmo/scheduler/core/snapshot.ts';
import type { Placement, Plan } from '../../../../../src/common/contract/plan.ts';
import { isolationLevels } from '../../../../../src/common/contract/states/node.ts';

type Request = PendingJob['shape']['resources']['deviceAlternatives'][number][number];

/** Whether a device is what a request names, whatever is free of it. */
export function isWanted(device: DeviceRow, request: Request): boolean {
  const atLeast = (have: string, want: string) => {
    const [a, b] = [have, want].map((text) => text.split('.').map(Number));
    for (let i = 0; i < 4; i += 1) if ((a![i] ?? 0) !== (b![i] ?? 0)) return (a![i] ?? 0) > (b![i] ?? 0);
    return true;
  };
  return (
    device.healthy &&
    device.kind === request.kind &&
    (request.models.length === 0 || request.models.includes(device.model)) &&
    device.memoryBytes >= request.minMemoryBytes &&
    (request.minDriver === null || (device.driver !== null && atLeast(device.driver, request.minDriver)))
  );
}

/** Whether distinct devices can be given to all requests, by trying everything. `free`: thousandths by device id. */
export function canGive(
  devices: readonly DeviceRow[],
  requests: readonly Request[],
  free: (id: string) => number,
): boolean {
  const slots = requests.flatMap((request) => Array.from({ length: request.count }, () => request));
  const assign = (slot: number, left: readonly DeviceRow[]): boolean => {
    const request = slots[slot];
    if (request === undefined) return true;
    return left.some(
      (device) =>
        isWanted(device, request) &&
        free(device.id) >= request.milli &&
        assign(
          slot + 1,
          left.filter((other) => other !== device),
        ),
    );
  };
  return slots.length <= devices.length && assign(0, devices);
}

/** Without an image there is nothing to put into a container. */
const isFor = (level: NodeRow['isolation'][number], job: PendingJob): boolean =>
  level !== 'container' || !['process', 'sandbox'].includes(job.shape.isolation);

/** Whether a node can ever take a rank of the job: state, isolation, network. */
export function isOpenTo(node: NodeRow, job: PendingJob): boolean {
  const asked = isolationLevels.indexOf(job.shape.isolation);
  return (
    node.presence === 'ready' &&
    node.scheduling === 'open' &&
    node.health === 'ok' &&
    node.isolation.some((level) => isolationLevels.indexOf(level) >= asked && isFor(level, job)) &&
    (job.shape.network === 'none' || node.hostNetwork)
  );
}

/** Dollars × 10⁶ an hour of a whole job at a site. */
export function priceAt(site: SiteRow, job: PendingJob, alternative: readonly Request[]): number {
  const { resources } = job.shape;
  const devices = alternative.reduce((sum, request) => sum + (request.count * request.milli) / 1000, 0);
  const rank =
    devices * site.deviceUsdPerHour +
    (resources.cpuMilli / 1000) * site.cpuUsdPerHour +
    (resources.memoryBytes / 2 ** 30) * site.memoryUsdPerHour;
  return rank * resources.nodes;
}

/** Every rule that the plan breaks, in words; empty for a good plan. */
export function faultsOf(
  plan: Plan,
  nodes: readonly NodeRow[],
  sites: readonly SiteRow[],
  jobs: readonly PendingJob[],
  now: number,
): string[] {
  const faults: string[] = [];
  const used = new Map<string, number>();
  const add = (key: string, amount: number) => used.set(key, (used.get(key) ?? 0) + amount);
  const seen = new Set<string>();
  for (const placement of plan.placements) {
    const job = jobs.find(({ id }) => id === placement.jobId);
    if (job === undefined || seen.has(placement.jobId)) faults.push(`${placement.jobId} is unknown or placed twice`);
    seen.add(placement.jobId);
    if (job !== undefined) faults.push(...faultsOfPlacement(placement, job, nodes, sites, now));
    for (const rank of placement.ranks) {
      add(`${rank.nodeId} cpu`, rank.cpuMilli);
      add(`${rank.nodeId} memory`, rank.memoryBytes);
      add(`${rank.nodeId} disk`, rank.diskBytes);
      for (const share of rank.devices) add(`${rank.nodeId} ${share.deviceId}`, share.milli);
    }
  }
  for (const node of nodes) {
    const over = (key: string, before: number, capacity: number) => {
      if ((used.get(`${node.id} ${key}`) ?? 0) > Math.max(0, capacity - before)) faults.push(`${node.id} ${key} over`);
    };
    over('cpu', node.usedCpuMilli, node.cpuMilli);
    over('memory', node.usedMemoryBytes, node.memoryBytes);
    over('disk', node.usedDiskBytes, node.diskBytes);
    for (const device of node.devices) over(device.id, device.usedMilli, device.milli);
  }
  for (const { jobId } of plan.pending) {
    if (seen.has(jobId)) faults.push(`${jobId} is judged twice, or placed and judged`);
    seen.add(jobId);
  }
  return faults;
}

function faultsOfPlacement(
  placement: Placement,
  job: PendingJob,
  nodes: readonly NodeRow[],
  sites: readonly SiteRow[],
  now: number,
): string[] {
  const faults: string[] = [];
  const { resources } = job.shape;
  const say = (wrong: boolean, what: string) => wrong && faults.push(`${job.id}: ${what}`);
  say(job.notBefore > now, 'is too early');
  say(placement.ranks.length !== resources.nodes, 'has not all its ranks');
  say(new Set(placement.ranks.map((rank) => rank.nodeId)).size !== placement.ranks.length, 'has two ranks on a node');
  const site = sites.find(({ id }) => id === placement.siteId);
  for (const rank of placement.ranks) {
    const node = nodes.find(({ id }) => id === rank.nodeId);
    if (node === undefined || site === undefined) return [`${job.id}: stands where nothing is`];
    say(node.siteId !== placement.siteId, 'has a rank at another site');
    say(!isOpenTo(node, job), 'stands on a node that refuses it');
    say(rank.cpuMilli !== resources.cpuMilli || rank.memoryBytes !== resources.memoryBytes, 'got another amount');
    const given = rank.devices.map((share) => node.devices.find(({ id }) => id === share.deviceId)!);
    say(new Set(given).size !== given.length || given.includes(undefined!), 'has a device twice or of another node');
    const satisfied = resources.deviceAlternatives.some(
      (list) =>
        list.reduce((sum, request) => sum + request.count, 0) === given.length &&
        priceAt(site, job, list) <= job.shape.maxUsdPerHour + 1 &&
        canGive(given, list, (id) => rank.devices.find((share) => share.deviceId === id)!.milli),
    );
    say(!satisfied, 'got devices that match none of its alternatives, or at too high a price');
  }
  return faults;
}
