/**
 * Which running jobs to move so that more of what is free can be used, and what each move is worth. A plan of its own: nothing here moves anything.
 *
 * Placement fills gaps as jobs come, but what ends leaves new ones, and no order of placements undoes that. A move frees devices on one node
 * and takes as many on another; what it is worth is by how much the devices that the expected workload cannot use become fewer (the packing of
 * `drm/allocator`). Trying all sequences of moves is exponential. So moves are chosen one after the other, each the one that is worth
 * most for every device that must be stopped and started; what a job would gain by leaving is worked out again only on the two nodes that
 * a move changed, and the best place is asked for once a shape. A bad choice costs an interruption, hence `leastWorth` and `mostMoves`.
 *
 * Jobs of one rank only, within their site: a gang would have to stop as a whole, and another site has other prices and data. Nodes that take no
 * new work, and those that are promised to somebody, neither give nor take: what becomes free there is of use to nobody else.
 */
import { Boards } from '../boards.ts';
import { Fleet } from '../fleet.ts';
import { devicesToTake, fragmentationAdded } from '../fragmentation.ts';
import type { NodeRequest } from '../request.ts';
import type { RunningRank } from '../running.ts';
import { faultOfShape } from '../shape.ts';
import { type ExpectedShape, nodeFlag, type Shape, type Snapshot } from '../snapshot.ts';

/** A job that may be stopped and started elsewhere. */
export interface MovableJob {
  readonly id: string;
  readonly shape: Shape;
  /** What its only rank holds. */
  readonly rank: RunningRank;
}

export interface MoveLimits {
  /** Most moves of the plan, ≥ 0. */
  readonly mostMoves: number;
  /** Least worth of a move, thousandths of a device made useful for each device moved, ≥ 0. */
  readonly leastWorth: number;
}

export interface Move {
  readonly jobId: string;
  readonly fromNodeId: string;
  readonly to: RunningRank;
  /** Thousandths of devices that are moved, ≥ 1, and that become useful, > 0. */
  readonly movedMilli: number;
  readonly usefulMilli: number;
}

export interface MovePlan {
  /** In the order in which they must be made: a later one may need what an earlier one frees. */
  readonly moves: readonly Move[];
  readonly movedMilli: number;
  readonly usefulMilli: number;
  /** Thousandths of free devices that nobody is expected to use as things stand, ≥ 0. */
  readonly uselessMilli: number;
}

/** Bits of a node that takes new work. */
const takesWork = nodeFlag.live | nodeFlag.ready | nodeFlag.open | nodeFlag.healthy;

/** A job where it stands. */
interface Standing {
  readonly job: MovableJob;
  readonly row: number;
  readonly devices: readonly number[];
  readonly milli: readonly number[];
  readonly movedMilli: number;
  /** Thousandths that become useful on its node when it leaves; may be negative. */
  gain: number;
}

interface Destination {
  readonly request: NodeRequest;
  readonly row: number;
  /** Thousandths that become useless there. */
  readonly cost: number;
}

/**
 * Plans moves on a snapshot.
 * @param workload what is expected to come: without it nothing is more useful than anything else, and no move is planned
 */
export function planMoves(
  snapshot: Snapshot,
  workload: readonly ExpectedShape[],
  jobs: readonly MovableJob[],
  { mostMoves, leastWorth }: MoveLimits,
): MovePlan {
  const fleet = new Fleet(withoutPromised(snapshot), workload);
  const uselessMilli = uselessOf(fleet);
  const boards = new Boards(fleet);
  let standing = standingJobs(fleet, jobs);
  const moves: Move[] = [];
  while (moves.length < mostMoves && workload.length > 0) {
    const best = bestMove(boards, standing, leastWorth);
    if (best === undefined) break;
    const { from, to } = best;
    moves.push(make(fleet, from, to));
    // A job is moved once: what it gains by a second move it should have gained by the first.
    standing = standing.filter((one) => one !== from);
    for (const one of standing) if (one.row === from.row || one.row === to.row) one.gain = gainOf(fleet, one);
  }
  const sum = (of: (move: Move) => number) => moves.reduce((total, move) => total + of(move), 0);
  return {
    moves,
    movedMilli: sum((move) => move.movedMilli),
    usefulMilli: sum((move) => move.usefulMilli),
    uselessMilli,
  };
}

/** The snapshot as if nodes that are promised to somebody took no new work. */
function withoutPromised(snapshot: Snapshot): Snapshot {
  const promised = new Set(snapshot.calendar?.flatMap(({ nodes }) => nodes));
  if (promised.size === 0) return snapshot;
  const { ids, flags: before } = snapshot.nodes;
  const flags = before.map((bits, row) => (promised.has(ids[row]!) ? bits & ~nodeFlag.open : bits));
  return { ...snapshot, nodes: { ...snapshot.nodes, flags } };
}

const isOpen = ({ snapshot: { nodes } }: Fleet, row: number) => (nodes.flags[row]! & takesWork) === takesWork;

function uselessOf(fleet: Fleet): number {
  let sum = 0;
  for (let row = 0; row < fleet.snapshot.nodes.length; row += 1) {
    if (isOpen(fleet, row)) sum += fleet.fragmentation!.lost(row);
  }
  return sum;
}

/** Jobs of one rank that hold devices of nodes that take new work, by id. */
function standingJobs(fleet: Fleet, jobs: readonly MovableJob[]): Standing[] {
  const { nodes, devices } = fleet.snapshot;
  const found: Standing[] = [];
  for (const job of [...jobs].sort((a, b) => (a.id < b.id ? -1 : 1))) {
    const row = fleet.rowOf(job.rank.nodeId);
    if (row < 0 || !isOpen(fleet, row)) continue;
    if (job.shape.resources.nodes !== 1 || faultOfShape(job.shape) !== undefined) continue;
    const held: number[] = [];
    for (const { deviceId } of job.rank.devices) {
      const start = nodes.deviceStart[row]!;
      for (let device = start; device < start + nodes.deviceCount[row]!; device += 1) {
        if (devices.ids[device] === deviceId) held.push(device);
      }
    }
    // One that holds what is no longer there is not looked into.
    if (held.length === 0 || held.length < job.rank.devices.length) continue;
    const milli = job.rank.devices.map((share) => share.milli);
    const movedMilli = milli.reduce((total, share) => total + share, 0);
    const one = { job, row, devices: held, milli, movedMilli, gain: 0 };
    one.gain = gainOf(fleet, one);
    found.push(one);
  }
  return found;
}

function gainOf(fleet: Fleet, { job, row, devices, milli }: Standing): number {
  const { cpuMilli, memoryBytes } = job.rank;
  const back = { cpuMilli: -cpuMilli, memoryBytes: -memoryBytes };
  return -fleet.fragmentation!.added(
    row,
    back,
    devices,
    milli.map((share) => -share),
  );
}

/** The move that is worth most for each device; the first of equals, in the order of `standing`. */
function bestMove(boards: Boards, standing: readonly Standing[], leastWorth: number) {
  const cheapest = new Map<string, readonly Destination[]>();
  const destinationsOf = (shape: Shape, site: number): readonly Destination[] => {
    const key = `${site} ${shape.key}`;
    const known = cheapest.get(key) ?? destinations(boards, shape, site);
    cheapest.set(key, known);
    return known;
  };
  let best: { readonly from: Standing; readonly to: Destination; readonly worth: number } | undefined;
  for (const from of standing) {
    if (from.gain <= 0) continue;
    const site = boards.fleet.snapshot.nodes.site[from.row]!;
    for (const to of destinationsOf(from.job.shape, site)) {
      const worth = (1000 * (from.gain - to.cost)) / from.movedMilli;
      if (to.row === from.row || worth <= 0 || worth < leastWorth) continue;
      if (best === undefined || worth > best.worth) best = { from, to, worth };
    }
  }
  return best;
}

/** The two best nodes of a site for each alternative: one of them is not the node that a job stands on. */
function destinations(boards: Boards, shape: Shape, site: number): Destination[] {
  return boards.of(shape).flatMap((board) => {
    board.sync();
    const { request } = board;
    return board.topAt(2, site).map((row) => ({ request, row, cost: fragmentationAdded(boards.fleet, request, row) }));
  });
}

function make(fleet: Fleet, from: Standing, { request, row, cost }: Destination): Move {
  const { nodes, devices } = fleet.snapshot;
  const choice = devicesToTake(fleet, request, row);
  const { job, movedMilli } = from;
  fleet.take(row, request, choice.rows, choice.milli);
  fleet.give(from.row, job.rank, from.devices, from.milli);
  return {
    jobId: job.id,
    fromNodeId: job.rank.nodeId,
    to: {
      nodeId: nodes.ids[row]!,
      cpuMilli: request.cpuMilli,
      memoryBytes: request.memoryBytes,
      diskBytes: request.diskBytes,
      devices: choice.rows.map((device, i) => ({ deviceId: devices.ids[device]!, milli: choice.milli[i]! })),
    },
    movedMilli,
    usefulMilli: from.gain - cost,
  };
}
