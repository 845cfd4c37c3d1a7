/**
 * Runs a peer over arrivals: one after another, no departures, what fits is placed and what does not is dropped for good.
 *
 * Equal pods share their scores, which are worked out again only for nodes that changed; the decisions are those of scoring every node
 * for every pod.
 */
import { isPart, type Peer, type PeerNode, withPod } from './peers.ts';
import type { Random } from './random.ts';
import type { TraceNode, TracePod } from './trace.ts';

/** Called after each placement. @param arrival index of the pod */
export type OnPlaced = (arrival: number, row: number, node: PeerNode) => void;

interface Board {
  /** By term and node; NaN where the pod does not fit. */
  readonly scores: Float64Array[];
  /** How many of the changes it knows. */
  known: number;
}

/** @returns indexes of the pods that were placed */
export function runPeer(
  peer: Peer,
  traceNodes: readonly TraceNode[],
  pods: readonly TracePod[],
  random: Random,
  onPlaced?: OnPlaced,
): number[] {
  const nodes: PeerNode[] = traceNodes.map((node) => ({
    model: node.model,
    cpuCapacity: node.cpuMilli,
    cpuMilli: node.cpuMilli,
    memoryMib: node.memoryMib,
    gpuMilli: Array.from({ length: node.gpus }, () => 1000),
  }));
  const boards = new Map<string, Board>();
  const changes: number[] = [];
  const placed: number[] = [];
  for (const [arrival, pod] of pods.entries()) {
    const key = JSON.stringify(pod);
    let board = boards.get(key);
    if (board === undefined) {
      const terms = Math.max(1, peer.terms.length);
      board = { scores: Array.from({ length: terms }, () => new Float64Array(nodes.length)), known: changes.length };
      boards.set(key, board);
      for (let row = 0; row < nodes.length; row += 1) rate(peer, board, nodes[row]!, row, pod);
    }
    for (const row of new Set(changes.slice(board.known))) rate(peer, board, nodes[row]!, row, pod);
    board.known = changes.length;
    const row = peer.terms.length === 0 ? anyRow(board, random) : bestRow(peer, board);
    if (row < 0) continue;
    const node = withPod(nodes[row]!, pod, isPart(pod) ? peer.pickGpu(nodes[row]!, pod, random) : -1);
    nodes[row] = node;
    changes.push(row);
    placed.push(arrival);
    onPlaced?.(arrival, row, node);
  }
  return placed;
}

function rate(peer: Peer, board: Board, node: PeerNode, row: number, pod: TracePod): void {
  const feasible = fits(node, pod);
  if (peer.terms.length === 0) board.scores[0]![row] = feasible ? 0 : Number.NaN;
  for (const [i, term] of peer.terms.entries()) board.scores[i]![row] = feasible ? term.score(node, pod) : Number.NaN;
}

function fits(node: PeerNode, pod: TracePod): boolean {
  if (node.cpuMilli < pod.cpuMilli || node.memoryMib < pod.memoryMib) return false;
  if (pod.gpus === 0) return true;
  if (pod.models.length > 0 && !pod.models.includes(node.model)) return false;
  let fitting = 0;
  for (const milli of node.gpuMilli) if (milli >= pod.gpuMilli) fitting += 1;
  return fitting >= pod.gpus;
}

function bestRow(peer: Peer, { scores }: Board): number {
  const ranges = peer.terms.map((term, i) => (term.normalised ? rangeOf(scores[i]!) : undefined));
  let best = -1;
  let most = Number.NEGATIVE_INFINITY;
  for (let row = 0; row < scores[0]!.length; row += 1) {
    if (Number.isNaN(scores[0]![row]!)) continue;
    let sum = 0;
    for (let i = 0; i < peer.terms.length; i += 1) {
      const score = scores[i]![row]!;
      const range = ranges[i];
      if (range === undefined) sum += peer.terms[i]!.weight * score;
      else if (range.high > range.low) {
        sum += peer.terms[i]!.weight * Math.trunc(((score - range.low) * 100) / (range.high - range.low));
      }
    }
    if (sum > most) {
      most = sum;
      best = row;
    }
  }
  return best;
}

function rangeOf(scores: Float64Array): { low: number; high: number } {
  let low = Number.POSITIVE_INFINITY;
  let high = Number.NEGATIVE_INFINITY;
  for (const score of scores) {
    if (score < low) low = score;
    if (score > high) high = score;
  }
  return { low, high };
}

function anyRow({ scores }: Board, random: Random): number {
  const rows: number[] = [];
  for (const [row, score] of scores[0]!.entries()) if (score === 0) rows.push(row);
  return rows.length === 0 ? -1 : rows[random.below(rows.length)]!;
}
