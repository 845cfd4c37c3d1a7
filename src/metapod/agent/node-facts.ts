/**
 * What this node offers, in the words of the protocol: discovery, isolation as probed, and the operator's wishes.
 */
import { hostname } from 'node:os';
import type { WireInventory } from '../../common/contract/agent/protocol.ts';
import { type DiscoveredDevice, discoverNode, type Outside, wireInventoryOf } from './discovery/index.ts';
import { diskUsageBytes } from './isolation/disk-usage.ts';
import { type ContainerProbe, probeContainer, probeIsolation } from './isolation/index.ts';
import type { AgentOptions } from './options.ts';
import type { ContainerDriverChoice, Launch } from './supervisor/index.ts';

export interface NodeFacts {
  readonly inventory: WireInventory;
  readonly devices: readonly DiscoveredDevice[];
}

export interface OfferedIsolation {
  readonly offered: Launch['isolation'][];
  /** What runs containers; null when none are offered. */
  readonly driver: ContainerDriverChoice | null;
  /** Why a level is not offered, by level. */
  readonly missing: Record<string, string>;
  readonly facts: Record<string, unknown>;
}

/** Which levels the machine can offer and the operator allows. Takes some 100 ms: each level is tried. */
export async function offerIsolation(
  nodeBinary: string,
  { dataDir, isolation: allowed, containerDrivers }: Pick<AgentOptions, 'dataDir' | 'isolation' | 'containerDrivers'>,
): Promise<OfferedIsolation> {
  const probe = await probeIsolation(nodeBinary);
  const container = await containerProbe(nodeBinary, dataDir, allowed, containerDrivers);
  const missing: Record<string, string> = {};
  const offered: OfferedIsolation['offered'] = [];
  const warnings: string[] = [];
  for (const level of [...probe.levels, container.probe]) {
    if (!level.offered) missing[level.level] = whyMissing(level).slice(0, 512);
    else if (allowed !== undefined && !allowed.includes(level.level))
      missing[level.level] = 'the operator does not allow it';
    else {
      offered.push(level.level);
      warnings.push(...level.warnings);
    }
  }
  return {
    offered,
    driver: offered.includes('container') ? container.driver : null,
    missing,
    facts: {
      cgroup: probe.cgroup,
      ...(offered.includes('container') && container.driver !== null && { containerDriver: container.driver.kind }),
      ...(warnings.length > 0 && { isolationWarnings: warnings }),
    },
  };
}

const whyMissing = ({ why, cure }: { why: string; cure: string }): string =>
  cure === '' ? why : `${why} (cure: ${cure})`;

/** A level that the operator does not allow is not tried: engines take their time. */
async function containerProbe(
  nodeBinary: string,
  dataDir: string,
  allowed: readonly string[] | undefined,
  drivers: AgentOptions['containerDrivers'],
): Promise<ContainerProbe> {
  if (allowed === undefined || allowed.includes('container')) return probeContainer(nodeBinary, dataDir, drivers);
  const probe = { level: 'container', offered: false, why: 'the operator does not allow it', cure: '' } as const;
  return { probe, driver: null };
}

/** Looks at the whole machine. Disk on offer is what is free and what our own attempts already hold of it. */
export async function lookAtNode(
  options: AgentOptions,
  outside: Outside,
  isolation: OfferedIsolation,
  attemptsFolder: string,
  name: string,
): Promise<NodeFacts> {
  const found = await discoverNode({ outside, scratch: options.dataDir });
  const wire = wireInventoryOf(found);
  return {
    devices: found.devices,
    inventory: {
      ...wire,
      diskBytes: wire.diskBytes + (await diskUsageBytes([attemptsFolder])),
      name,
      isolation: isolation.offered,
      isolationMissing: isolation.missing,
      hostNetwork: options.hostNetwork ?? false,
      labels: { ...options.labels },
      facts: { ...wire.facts, ...isolation.facts },
    },
  };
}

/** The host's name without its domain. */
export const hostName = (): string => hostname().split('.')[0]!.slice(0, 63) || 'node';
