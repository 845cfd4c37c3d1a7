/**
 * How much of what is free nobody is likely to be able to use, over time: the fragmentation of FGD (Weng et al., ATC'23, §3), for devices,
 * and the same of cores where jobs ask for no device.
 *
 * A piece counts as lost to a class of jobs when the class fits nowhere on the node, or the piece alone is too small for it. Classes are those
 * of the whole trace, the most frequent ones that make up 95 % of it, so that two policies on one trace are held to one measure. Looking
 * at all nodes at each event would cost more than the simulation; samples stand at a spacing that doubles when there are too many.
 */
import type { NodeRow } from '../core/rows.ts';
import type { Shape } from '../core/snapshot.ts';
import type { SimulatedJob } from './workload.ts';

/** Seconds since the first submission, and the part of the fleet that is free but lost, 0..1. */
export interface Sample {
  readonly at: number;
  readonly value: number;
}

const mostSamples = 800;
const coveredShare = 0.95;
const mostClasses = 48;

interface JobClass {
  readonly weight: number;
  readonly cpuMilli: number;
  readonly memoryBytes: number;
  readonly count: number;
  readonly milli: number;
  readonly models: ReadonlySet<string> | null;
}

export class FragmentationSamples {
  readonly #classes: readonly JobClass[];
  readonly #rows: ReadonlyMap<string, NodeRow>;
  readonly #ofDevices: boolean;
  #samples: Sample[] = [];
  #spacing: number;
  #next = 0;

  constructor(jobs: readonly SimulatedJob[], rows: ReadonlyMap<string, NodeRow>) {
    this.#classes = classesOf(jobs);
    this.#rows = rows;
    this.#ofDevices = this.#classes.some(({ count }) => count > 0);
    this.#spacing = Math.max(1, (jobs.at(-1)?.submittedAt ?? 0) / (mostSamples / 2));
  }

  /** To be called after each instant. */
  at(now: number): void {
    if (now < this.#next) return;
    this.#samples.push({ at: now, value: this.#fragmented() });
    this.#next = now + this.#spacing;
    if (this.#samples.length < mostSamples) return;
    this.#samples = this.#samples.filter((_, index) => index % 2 === 0);
    this.#spacing *= 2;
  }

  samples(): readonly Sample[] {
    return this.#samples;
  }

  #fragmented(): number {
    let lost = 0;
    let all = 0;
    for (const row of this.#rows.values()) {
      all += this.#ofDevices ? row.devices.reduce((sum, { milli }) => sum + milli, 0) : row.cpuMilli;
      if (row.presence === 'ready') lost += this.#ofDevices ? this.#lostDevices(row) : this.#lostCores(row);
    }
    return all > 0 ? lost / all : 0;
  }

  #lostDevices(row: NodeRow): number {
    const free = row.devices.map(({ milli, usedMilli, healthy }) => (healthy ? Math.max(0, milli - usedMilli) : 0));
    const sum = free.reduce((total, one) => total + one, 0);
    if (sum === 0) return 0;
    const cpuFree = row.cpuMilli - row.usedCpuMilli;
    const memoryFree = row.memoryBytes - row.usedMemoryBytes;
    let lost = 0;
    for (const { weight, cpuMilli, memoryBytes, count, milli, models } of this.#classes) {
      let fitting = 0;
      let small = 0;
      for (const [i, piece] of free.entries()) {
        if (piece < milli || (models !== null && !models.has(row.devices[i]!.model))) small += piece;
        else fitting += 1;
      }
      const fits = count > 0 && fitting >= count && cpuMilli <= cpuFree && memoryBytes <= memoryFree;
      lost += weight * (fits ? small : sum);
    }
    return lost;
  }

  #lostCores(row: NodeRow): number {
    const free = Math.max(0, row.cpuMilli - row.usedCpuMilli);
    const memoryFree = row.memoryBytes - row.usedMemoryBytes;
    const lostTo = this.#classes.filter((one) => one.cpuMilli > free || one.memoryBytes > memoryFree);
    return free * lostTo.reduce((sum, { weight }) => sum + weight, 0);
  }
}

function classesOf(jobs: readonly SimulatedJob[]): JobClass[] {
  const counts = new Map<Shape, number>();
  for (const { shape } of jobs) counts.set(shape, (counts.get(shape) ?? 0) + 1);
  const sorted = [...counts].sort(([a, n], [b, m]) => m - n || (a.key < b.key ? -1 : 1));
  const kept: [Shape, number][] = [];
  let covered = 0;
  for (const entry of sorted) {
    if (covered >= coveredShare * jobs.length || kept.length === mostClasses) break;
    kept.push(entry);
    covered += entry[1];
  }
  return kept.map(([{ resources }, count]) => {
    const [device] = resources.deviceAlternatives[0] ?? [];
    return {
      weight: count / covered,
      cpuMilli: resources.cpuMilli,
      memoryBytes: resources.memoryBytes,
      count: device?.count ?? 0,
      milli: device?.milli ?? 0,
      models: device === undefined || device.models.length === 0 ? null : new Set(device.models),
    };
  });
}
