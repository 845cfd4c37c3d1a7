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
import { nodeRows, site } from './cluster.ts';

/** Of a placement what its end gives back. */
type Held = Pick<Placement, 'ranks'>;

export class World {
  readonly engine = new RoundEngine();
  readonly #policy: Policy;
  readonly #nodes: Map<string, NodeRow>;
  readonly #running: Held[] = [];
  #jobs = 0;
  #now = Date.parse('2026-11-22T00:00:00Z');
  #engineMs = 0;

  /** @param filled jobs of these shapes stand on the nodes already, three a node where they fit */
  constructor(nodes: number, policy: Policy, filled: readonly Shape[] = [], random?: Random) {
    this.#policy = policy;
    this.#nodes = new Map(nodeRows(nodes).map((row) => [row.id, row]));
    if (random !== undefined) {
      const single = filled.filter(({ resources }) => resources.nodes === 1);
      for (const row of [...this.#nodes.values()]) {
        for (let i = 0; i < 3; i += 1) this.#stand(row.id, single[random.below(single.length)]!);
      }
    }
    this.engine.apply({ sites: [[site.id, site]], nodes: [...this.#nodes] });
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
    const held = { ranks: [{ nodeId: id as NodeId, cpuMilli, memoryBytes, diskBytes, devices }] };
    this.#running.push(held);
    this.#nodes.set(id, used(row, held.ranks, 1));
  }

  /** Milliseconds that the engine has taken since this was asked last. */
  takeEngineMs(): number {
    const ms = this.#engineMs;
    this.#engineMs = 0;
    return ms;
  }

  #inEngine<T>(fn: () => T): T {
    const start = performance.now();
    const result = fn();
    this.#engineMs += performance.now() - start;
    return result;
  }

  /** Jobs arrive. */
  submit(shapes: readonly Shape[]): void {
    const jobs = shapes.map((shape) => this.#job(shape));
    this.#inEngine(() => this.engine.apply({ jobs: jobs.map((job) => [job.id, { job, reason: 'new' }]) }));
  }

  #job(shape: Shape): PendingJob {
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
    };
  }

  /** One round, whose plan is committed and comes back as rows. Returns how many jobs it placed. */
  round(record?: (round: RoundRecord) => void): number {
    this.#now += 1;
    const placements = this.#inEngine(() => {
      const { placementCount } = this.engine.run(this.#policy, this.#now, record);
      const planned = this.engine.placements(0, placementCount);
      this.engine.settle({ committed: planned.map(({ jobId }): JobId => jobId), refused: [], unknown: [] });
      return planned;
    });
    for (const { ranks } of placements) this.#running.push({ ranks });
    this.#write(placements, 1);
    return placements.length;
  }

  /** Jobs end, any of those that run. */
  end(count: number, random: Random): void {
    const ended: Held[] = [];
    while (ended.length < count && this.#running.length > 0) {
      const at = random.below(this.#running.length);
      ended.push(this.#running[at]!);
      this.#running[at] = this.#running.at(-1)!;
      this.#running.pop();
    }
    this.#write(ended, -1);
  }

  #write(held: readonly Held[], sign: number): void {
    const ranksOf = new Map<string, Placement['ranks'][number][]>();
    for (const rank of held.flatMap(({ ranks }) => ranks)) {
      const ranks = ranksOf.get(rank.nodeId);
      if (ranks === undefined) ranksOf.set(rank.nodeId, [rank]);
      else ranks.push(rank);
    }
    const changed = [...ranksOf].map(([id, ranks]) => [id, used(this.#nodes.get(id)!, ranks, sign)] as const);
    for (const [id, row] of changed) this.#nodes.set(id, row);
    this.#inEngine(() => this.engine.apply({ nodes: changed }));
  }
}

function used(row: NodeRow, ranks: Placement['ranks'], sign: number): NodeRow {
  const shares = new Map<string, number>();
  const sums = { cpu: 0, memory: 0, disk: 0 };
  for (const rank of ranks) {
    sums.cpu += rank.cpuMilli;
    sums.memory += rank.memoryBytes;
    sums.disk += rank.diskBytes;
    for (const { deviceId, milli } of rank.devices) shares.set(deviceId, (shares.get(deviceId) ?? 0) + milli);
  }
  return {
    ...row,
    usedCpuMilli: row.usedCpuMilli + sign * sums.cpu,
    usedMemoryBytes: row.usedMemoryBytes + sign * sums.memory,
    usedDiskBytes: row.usedDiskBytes + sign * sums.disk,
    devices: row.devices.map((one) => ({ ...one, usedMilli: one.usedMilli + sign * (shares.get(one.id) ?? 0) })),
    revision: row.revision + 1,
  };
}
