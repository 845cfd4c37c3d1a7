/** Builders of rows, jobs and snapshots: a case says only what it is about. */

import { defaultPolicy } from '../../../../../src/cmo/scheduler/core/policy.ts';
import type { DeviceRow, NodeRow, SiteRow } from '../../../../../src/cmo/scheduler/core/rows.ts';
import { shapeOf } from '../../../../../src/cmo/scheduler/core/shape.ts';
import type { PendingJob, Policy, Snapshot } from '../../../../../src/cmo/scheduler/core/snapshot.ts';
import { SnapshotStore } from '../../../../../src/cmo/scheduler/state/snapshot-store.ts';
import { type JobSpecInput, jobSpecSchema } from '../../../../../src/common/contract/job-spec.ts';

export const gib = 2 ** 30;
export const now = Date.parse('2026-11-22T00:00:00Z');

export function site(id = 's1', more: Partial<SiteRow> = {}): SiteRow {
  return {
    id,
    deviceUsdPerHour: 2_000_000,
    cpuUsdPerHour: 10_000,
    memoryUsdPerHour: 1_000,
    pue: 1.1,
    revision: 1,
    ...more,
  };
}

export function device(id: string, more: Partial<DeviceRow> = {}): DeviceRow {
  return {
    id,
    kind: 'gpu',
    model: 'H100',
    driver: '550.54',
    memoryBytes: 80 * gib,
    milli: 1000,
    usedMilli: 0,
    healthy: true,
    ...more,
  };
}

export const devices = (node: string, count: number, more: Partial<DeviceRow> = {}): DeviceRow[] =>
  Array.from({ length: count }, (_, i) => device(`${node}-d${i}`, more));

export function node(id: string, more: Partial<NodeRow> = {}): NodeRow {
  return {
    id,
    siteId: 's1',
    presence: 'ready',
    scheduling: 'open',
    health: 'ok',
    isolation: ['sandbox'],
    hostNetwork: false,
    cpuMilli: 16_000,
    memoryBytes: 64 * gib,
    diskBytes: 500 * gib,
    usedCpuMilli: 0,
    usedMemoryBytes: 0,
    usedDiskBytes: 0,
    devices: [],
    revision: 1,
    ...more,
  };
}

export function fleetOf(nodes: readonly NodeRow[], sites: readonly SiteRow[] = [site()]): Snapshot {
  const store = new SnapshotStore();
  store.apply({
    sites: new Map(sites.map((row) => [row.id, row])),
    nodes: new Map(nodes.map((row) => [row.id, row])),
  });
  return store.snapshot;
}

export type SpecInput = Omit<JobSpecInput, 'name'>;

export function job(id: string, spec: SpecInput = {}, more: Partial<PendingJob> = {}): PendingJob {
  const parsed = jobSpecSchema.parse({ name: 'job', command: 'true', ...spec });
  return {
    id,
    revision: 1n,
    tenant: 't1',
    project: 'p1',
    shape: shapeOf(parsed),
    priority: parsed.priority,
    submittedAt: now - 1000,
    notBefore: 0,
    notBeforeReason: null,
    ...(Object.keys(parsed.labels).length === 0 ? {} : { labels: parsed.labels }),
    ...more,
  };
}

export const policy = (more: Partial<Policy> = {}): Policy => ({ ...defaultPolicy, ...more });
