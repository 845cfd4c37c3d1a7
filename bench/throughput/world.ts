/**
 * The rows behind the engine: what PostgreSQL holds in production. Plans are written into it, and what ends is taken out again; both go back
 * to the engine as rows, as the feed brings them.
 */
import type { NodeRow } from '../../src/cmo/scheduler/core/rows.ts';
import type { PendingJob, Policy, Shape } from '../../src/cmo/scheduler/core/snapshot.ts';
import { RoundEngine, type RoundRecord } from '../../src/cmo/scheduler/worker/round-engine.ts';
import type { Placement } from '../../src/common/contract/plan.ts';
import type { JobId, NodeId } from '../../src/common/ids.ts';
import type { Random } from '../packing/random.ts';
import { nodeId, nodeRows, site } from './cluster.ts';

/** Of a placement what its end gives back; without an id: it stood there before the engine began. */
interface Held {
  readonly id?: string;
  readonly ranks: Placement['ranks'];
}

/** A job that arrives. */
export interface Arriving extends Partial<Pick<PendingJob, 'labels' | 'array' | 'priority' | 'notBefore'>> {
  readonly shape: Shape;
}

export interface WorldOptions {
  /** Jobs of these shapes stand on the nodes already, three a node where they fit. */
  readonly filled?: { readonly shapes: readonly Shape[]; readonly random: Random };
  /** Labels of each node. */
  readonly labelsOf?: (index: number) => Readonly<Record<string, string>>;
}

/** What the engine has taken, milliseconds: by the clock, and of the process's processor time. */
export interface Took {
  readonly ms: number;
  readonly cpuMs: number;
}

export class World {
  readonly engine = new RoundEngine();
  readonly #policy: Policy;
  readonly #nodes: Map<string, Row>;
  readonly #running: Held[] = [];
  #jobs = 0;
  #now = Date.parse('2026-11-22T00:00:00Z');
  /** Nodes whose rows the engine has not seen yet, and jobs that have ended since. */
  readonly #changed = new Set<string>();
  #ended: string[] = [];
  /** Jobs that are to end for others: they do before the next round. */
  readonly #preempted = new Set<string>();
  #engineMs = 0;
  #cpuMs = 0;

  constructor(nodes: number, policy: Policy, { filled, labelsOf }: WorldOptions = {}) {
    this.#policy = policy;
    const labelled = (row: NodeRow, index: number) =>
      labelsOf === undefined ? row : { ...row, labels: labelsOf(index) };
    this.#nodes = new Map(nodeRows(nodes).map((row, index) => [row.id, labelled(row, index)]));
    if (filled !== undefined) {
      const single = filled.shapes.filter(({ resources }) => resources.nodes === 1);
      for (const row of [...this.#nodes.values()]) {
        for (let i = 0; i < 3; i += 1) this.#stand(row.id, single[filled.random.below(single.length)]!);
      }
    }
    this.engine.apply({ sites: [[site.id, site]], nodes: [...this.#nodes] });
  }

  /** Nodes are closed for new work, or opened again. */
  cordon(index: number, closed: boolean): void {
    const row = this.#nodes.get(nodeId(index))!;
    row.scheduling = closed ? 'cordoned' : 'open';
    row.revision += 1;
    this.#changed.add(row.id);
  }

  /** Puts a job onto a node by hand, if its first devices that are wholly free will do. */
  #stand(id: string, { resources }: Shape): void {
    const row = this.#nodes.get(id)!;
    const [request] = resources.deviceAlternatives[0]!;
    const { count = 0, milli = 0, models = [] } = request ?? {};
    const devices = row.devices
      .filter(({ usedMilli, model }) => usedMilli === 0 && (models.length === 0 || models.includes(model)))
      .slice(0, count)
      .map((device) => ({ deviceId: device.id, milli }) as Placement['ranks'][number]['devices'][number]);
    const { cpuMilli, memoryBytes, diskBytes } = resources;
    if (devices.length < count || row.cpuMilli - row.usedCpuMilli < cpuMilli) return;
    if (row.memoryBytes - row.usedMemoryBytes < memoryBytes || row.diskBytes - row.usedDiskBytes < diskBytes) return;
    const rank = { nodeId: id as NodeId, cpuMilli, memoryBytes, diskBytes, devices };
    this.#running.push({ ranks: [rank] });
    use(row, rank, 1);
  }

  /** What the engine has taken since this was asked last. */
  take(): Took {
    const took = { ms: this.#engineMs, cpuMs: this.#cpuMs };
    this.#engineMs = 0;
    this.#cpuMs = 0;
    return took;
  }

  /** Only what the engine does is measured, not the making of rows, which the database and the feed do. */
  #inEngine<T>(fn: () => T): T {
    const before = process.cpuUsage();
    const start = performance.now();
    const result = fn();
    this.#engineMs += performance.now() - start;
    const { user, system } = process.cpuUsage(before);
    this.#cpuMs += (user + system) / 1000;
    return result;
  }

  /**
   * Jobs arrive and any of those that run end; then one round, whose plan is committed. What it changed comes back as rows with the next step.
   * @returns how many jobs it placed
   */
  step(arriving: readonly Arriving[], ending: number, random: Random, record?: (round: RoundRecord) => void): number {
    this.#end(ending, random);
    const jobs = arriving.map((one) => this.#job(one));
    const nodes = [...this.#changed].map((id) => [id, this.#nodes.get(id)!] as const);
    const running = this.#ended.map((id) => [id, null, true] as const);
    this.#changed.clear();
    this.#ended = [];
    this.#now += 1;
    const placements = this.#inEngine(() => {
      this.engine.apply({ nodes, running, jobs: jobs.map((job) => [job.id, { job, reason: 'new' }]), now: this.#now });
      const { placementCount, preemptions } = this.engine.run(this.#policy, this.#now, record);
      for (const { jobId } of preemptions) this.#preempted.add(jobId);
      const planned = this.engine.placements(0, placementCount);
      this.engine.settle({ committed: planned.map(({ jobId }): JobId => jobId), refused: [], unknown: [] });
      return planned;
    });
    for (const { jobId, ranks } of placements) this.#running.push({ id: jobId, ranks });
    this.#write(placements, 1);
    return placements.length;
  }

  #job({ shape, ...more }: Arriving): PendingJob {
    this.#jobs += 1;
    return {
      id: `job_${String(this.#jobs).padStart(8, '0')}`,
      revision: 1n,
      tenant: 't',
      project: 'p',
      shape,
      priority: 0,
      submittedAt: this.#now,
      notBefore: 0,
      notBeforeReason: null,
      ...more,
    };
  }

  #end(count: number, random: Random): void {
    const ended: Held[] = [];
    if (this.#preempted.size > 0) {
      for (let at = this.#running.length - 1; at >= 0; at -= 1) {
        const held = this.#running[at]!;
        if (held.id === undefined || !this.#preempted.has(held.id)) continue;
        ended.push(held);
        this.#running.splice(at, 1);
      }
      this.#preempted.clear();
    }
    for (let left = count; left > 0 && this.#running.length > 0; left -= 1) {
      const at = random.below(this.#running.length);
      ended.push(this.#running[at]!);
      this.#running[at] = this.#running.at(-1)!;
      this.#running.pop();
    }
    for (const { id } of ended) if (id !== undefined) this.#ended.push(id);
    this.#write(ended, -1);
  }

  #write(held: readonly Pick<Held, 'ranks'>[], sign: 1 | -1): void {
    for (const { ranks } of held) {
      for (const rank of ranks) {
        use(this.#nodes.get(rank.nodeId)!, rank, sign);
        this.#changed.add(rank.nodeId);
      }
    }
  }
}

type Mutable<T> = { -readonly [K in keyof T]: T[K] };

/** A row as the database keeps it, written in place: the engine copies what it reads. */
interface Row extends Mutable<Omit<NodeRow, 'devices'>> {
  readonly devices: readonly Mutable<NodeRow['devices'][number]>[];
}

function use(row: Row, rank: Placement['ranks'][number], sign: 1 | -1): void {
  row.usedCpuMilli += sign * rank.cpuMilli;
  row.usedMemoryBytes += sign * rank.memoryBytes;
  row.usedDiskBytes += sign * rank.diskBytes;
  for (const { deviceId, milli } of rank.devices) {
    for (const device of row.devices) if (device.id === deviceId) device.usedMilli += sign * milli;
  }
  row.revision += 1;
}
