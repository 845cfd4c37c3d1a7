/**
 * The fleet that a simulation runs on, as a file says it: sites, kinds of nodes by count, and how often nodes fail.
 *
 * ```yaml
 * sites:
 *   - name: fra-1
 *     nodes:
 *       - { count: 36, cpu: 96, memory: 384GiB, devices: { model: A100, memory: 80GiB, count: 8 } }
 * failures: { meanHoursBetween: 2000, meanRepairMinutes: 45 }
 * ```
 *
 * Who shares it stands in the same file (`accounts.ts`). Strict: a key that nobody knows is a mistake of spelling, and a simulation of another fleet than the one that was meant is worse than none.
 */
import { z } from 'zod';
import { deviceKinds } from '../../../../common/contract/job-spec.ts';
import { parseBytes } from '../../../../common/units.ts';
import type { AccountRow } from '../../core/shares/account.ts';
import { accountRowsOf, accounts } from './accounts.ts';
import { InputError, issueAt } from './input-error.ts';

/** Most nodes of a file, and devices of a node. */
const mostNodes = 200_000;
const mostDevices = 1_000;

const bytes = z.union([z.string(), z.number()]).transform((value, context) => {
  const parsed = parseBytes(value);
  if (parsed !== undefined) return parsed;
  context.addIssue({ code: 'custom', message: 'expected bytes, as a number or like "384GiB"' });
  return z.NEVER;
});
const usd = z.number().min(0).max(1e6);
const name = z.string().regex(/^[a-z0-9][a-z0-9._-]{0,62}$/i, 'expected a name of letters, digits, ".", "_" and "-"');

const devices = z.strictObject({
  kind: z.enum(deviceKinds).default('gpu'),
  model: z.string().min(1).max(60).default('generic'),
  memory: bytes.default(80 * 2 ** 30),
  count: z.int().min(1).max(mostDevices),
});

const nodes = z.strictObject({
  name: name.default('node'),
  count: z.int().min(1).max(mostNodes),
  /** Cores. */
  cpu: z.number().min(0).max(1e6),
  memory: bytes.default(1024 * 2 ** 30),
  disk: bytes.default(10_240 * 2 ** 30),
  devices: z.union([devices, z.array(devices).max(16)]).default([]),
});

const site = z.strictObject({
  name,
  /** List prices, dollars an hour of a whole device, a core, a GiB of memory. */
  price: z.strictObject({ device: usd.default(1), cpu: usd.default(0.01), memoryGib: usd.default(0.001) }).prefault({}),
  nodes: z.array(nodes).min(1).max(1_000),
});

const failures = z.strictObject({
  /** Mean time between failures of one node, hours > 0. */
  meanHoursBetween: z.number().positive().max(1e9),
  meanRepairMinutes: z.number().min(0).max(1e6).default(30),
  /** From the loss of a node until its work is known to have ended and may start elsewhere, seconds. */
  confirmSeconds: z.number().min(0).max(1e6).default(630),
});

const cluster = z.strictObject({
  name: z.string().min(1).max(100).default('cluster'),
  sites: z.array(site).min(1).max(1_000),
  failures: failures.optional(),
  accounts,
});

export interface SimulatedDevices {
  readonly kind: (typeof deviceKinds)[number];
  readonly model: string;
  readonly memoryBytes: number;
  readonly count: number;
}

export interface SimulatedNode {
  readonly id: string;
  readonly siteId: string;
  readonly cpuMilli: number;
  readonly memoryBytes: number;
  readonly diskBytes: number;
  readonly devices: readonly SimulatedDevices[];
}

export interface SimulatedSite {
  readonly id: string;
  /** Micro-dollars an hour. */
  readonly deviceUsdPerHour: number;
  readonly cpuUsdPerHour: number;
  readonly memoryUsdPerHour: number;
}

export interface Failures {
  readonly meanSecondsBetween: number;
  readonly meanRepairSeconds: number;
  readonly confirmSeconds: number;
}

export interface Cluster {
  readonly name: string;
  readonly sites: readonly SimulatedSite[];
  readonly nodes: readonly SimulatedNode[];
  readonly failures: Failures | null;
  /** Of users that have more than weight 1: checked. */
  readonly accounts: readonly AccountRow[];
}

const micro = (dollars: number): number => Math.round(dollars * 1e6);

/**
 * A cluster out of a parsed file.
 * @throws InputError naming every field that is wrong
 */
export function readCluster(value: unknown): Cluster {
  const parsed = cluster.safeParse(value);
  if (!parsed.success) {
    throw new InputError(parsed.error.issues.map(({ path, message }) => issueAt(path, message)));
  }
  const { sites, failures: failing } = parsed.data;
  const all: SimulatedNode[] = [];
  const seen = new Set<string>();
  for (const [index, { name: siteId, nodes: kinds }] of sites.entries()) {
    if (seen.has(siteId)) throw new InputError([issueAt(['sites', index, 'name'], `"${siteId}" is there twice`)]);
    seen.add(siteId);
    for (const [kind, { name: prefix, count, cpu, memory, disk, devices: list }] of kinds.entries()) {
      const held = Array.isArray(list) ? list : [list];
      for (let i = 1; i <= count; i += 1) {
        const number = String(i).padStart(String(count).length, '0');
        all.push({
          id: `${siteId}/${kinds.length > 1 ? `${prefix}${kind + 1}` : prefix}-${number}`,
          siteId,
          cpuMilli: Math.round(cpu * 1000),
          memoryBytes: memory,
          diskBytes: disk,
          devices: held.map((one) => ({ ...one, memoryBytes: one.memory })),
        });
      }
    }
  }
  if (all.length > mostNodes) {
    throw new InputError([issueAt(['sites'], `${all.length} nodes, but at most ${mostNodes} can be simulated`)]);
  }
  return {
    name: parsed.data.name,
    sites: sites.map(({ name: id, price }) => ({
      id,
      deviceUsdPerHour: micro(price.device),
      cpuUsdPerHour: micro(price.cpu),
      memoryUsdPerHour: micro(price.memoryGib),
    })),
    nodes: all,
    failures:
      failing === undefined
        ? null
        : {
            meanSecondsBetween: failing.meanHoursBetween * 3600,
            meanRepairSeconds: failing.meanRepairMinutes * 60,
            confirmSeconds: failing.confirmSeconds,
          },
    accounts: accountRowsOf(parsed.data.accounts),
  };
}
