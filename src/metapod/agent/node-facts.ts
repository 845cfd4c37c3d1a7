/**
 * What this node offers, in the words of the protocol: discovery, isolation as probed, and the operator's wishes.
 */
import { hostname } from 'node:os';
import type { WireInventory } from '../../common/contract/agent/protocol.ts';
import { type DiscoveredDevice, discoverNode, type Outside, wireInventoryOf } from './discovery/index.ts';
import { diskUsageBytes } from './isolation/disk-usage.ts';
import { probeIsolation } from './isolation/index.ts';
import type { AgentOptions } from './options.ts';

export interface NodeFacts {
  readonly inventory: WireInventory;
  readonly devices: readonly DiscoveredDevice[];
}

export interface OfferedIsolation {
  readonly offered: ('process' | 'sandbox')[];
  /** Why a level is not offered, by level. */
  readonly missing: Record<string, string>;
  readonly facts: Record<string, unknown>;
}

/** Which levels the machine can offer and the operator allows. Takes some 100 ms: each level is tried. */
export async function offerIsolation(
  nodeBinary: string,
  allowed: readonly string[] | undefined,
): Promise<OfferedIsolation> {
  const probe = await probeIsolation(nodeBinary);
  const missing: Record<string, string> = {};
  const offered: OfferedIsolation['offered'] = [];
  const warnings: string[] = [];
  for (const level of probe.levels) {
    if (!level.offered) missing[level.level] = `${level.why} (cure: ${level.cure})`.slice(0, 512);
    else if (allowed !== undefined && !allowed.includes(level.level))
      missing[level.level] = 'the operator does not allow it';
    else {
      offered.push(level.level);
      warnings.push(...level.warnings);
    }
  }
  return {
    offered,
    missing,
    facts: { cgroup: probe.cgroup, ...(warnings.length > 0 && { isolationWarnings: warnings }) },
  };
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
