/**
 * Why here: the candidates of a placement with the terms of their scores, kept with the attempt for good.
 *
 * Rendered only for jobs that are placed, at the moment before their capacity is taken, so the numbers are those that decided.
 */
import type { Candidate, Explanation, ScoreTerm } from '../../../common/contract/plan.ts';
import type { NodeId, SiteId } from '../../../common/ids.ts';
import { scoreUnkept } from './fit.ts';
import type { Fleet } from './fleet.ts';
import { fragmentationAdded, powerAdded } from './fragmentation.ts';
import type { Vicinity } from './neighbours/vicinity.ts';
import type { NodeRequest } from './request.ts';
import type { Scoreboard } from './scoreboard.ts';
import { isolationUsed } from './shape.ts';
import { isolationBit } from './snapshot.ts';

const mostCandidates = 20;
/** Classes of a board whose terms are remembered. */
const mostTerms = 128;
const gibibyte = 2 ** 30;

export interface Decision {
  readonly policy: string;
  readonly round: number;
  /** Instant of the round, ISO 8601. */
  readonly decidedAt: string;
}

export interface Surroundings {
  /** Of a job with rules about other jobs. */
  readonly vicinity?: Vicinity | undefined;
  /** Rows of promised nodes on which the job may stand, though the board, which knows no owners, refuses them. */
  readonly promised?: readonly number[];
}

/** Explains the choice of `rows` on a board as it stands before they are taken. */
export function explain(
  fleet: Fleet,
  board: Scoreboard,
  rows: readonly number[],
  decision: Decision,
  { vicinity, promised = [] }: Surroundings = {},
): Explanation {
  if (vicinity !== undefined) return explainBeside(fleet, board, rows, decision, vicinity);
  const best = board.candidates(mostCandidates, (row) => candidate(fleet, board, row));
  const open = letIn(board, rows, promised);
  if (open.length === 0) {
    return {
      ...decision,
      candidates: chosenFirst(fleet, board, rows, best),
      feasibleCount: board.feasibleCount,
      rejections: board.rejections(),
    };
  }
  const listed = [...best, ...open.slice(0, mostCandidates).map((row) => candidate(fleet, board, row))];
  listed.sort((a, b) => a.score - b.score);
  const { reserved = 0, ...others } = board.rejections();
  return {
    ...decision,
    candidates: chosenFirst(fleet, board, rows, listed).slice(0, mostCandidates),
    feasibleCount: board.feasibleCount + open.length,
    rejections: reserved > open.length ? { ...others, reserved: reserved - open.length } : others,
  };
}

/** Nodes that are kept for others and that the job may have all the same: by the calendar, or since it was let in. */
function letIn(board: Scoreboard, rows: readonly number[], promised: readonly number[]): number[] {
  const chosen = rows.filter((row) => board.isKept(row));
  if (promised.length === 0) return chosen;
  return [...new Set([...chosen, ...promised.filter((row) => board.isKept(row))])];
}

/** Ties and gangs: the chosen rows come first even where others are as good or better but at another site. */
function chosenFirst(fleet: Fleet, board: Scoreboard, rows: readonly number[], best: Candidate[]): Candidate[] {
  const { ids } = fleet.snapshot.nodes;
  if (rows.length === 1 && best[0]?.nodeId === ids[rows[0]!]) return best;
  const listed = new Map(best.map((one) => [one.nodeId as string, one]));
  const chosen = rows.slice(0, mostCandidates).map((row) => listed.get(ids[row]!) ?? candidate(fleet, board, row));
  for (const { nodeId } of chosen) listed.delete(nodeId);
  return [...chosen, ...listed.values()].slice(0, mostCandidates);
}

/** As `explain`, of a job with rules about other jobs: nodes that these refuse are no candidates. */
function explainBeside(
  fleet: Fleet,
  board: Scoreboard,
  rows: readonly number[],
  decision: Decision,
  vicinity: Vicinity,
): Explanation {
  const listed = [...new Set([...rows, ...vicinity.top(board, mostCandidates)])].slice(0, mostCandidates);
  const refused = vicinity.rejections(board);
  const refusedCount = Object.values(refused).reduce((sum, count) => sum + count, 0);
  const candidates = listed.map((row) => {
    const plain = candidate(fleet, board, row);
    return { ...plain, terms: [...plain.terms, ...vicinity.terms(board, row)] };
  });
  return {
    ...decision,
    candidates,
    feasibleCount: Math.max(rows.length, board.feasibleCount - refusedCount),
    rejections: { ...board.rejections(), ...refused },
  };
}

/** A node that is kept for others and taken all the same has no score on the board: it is worked out as if it were not kept. */
function scoreFor(fleet: Fleet, board: Scoreboard, row: number): number {
  const score = board.scoreOf(row);
  if (Number.isFinite(score)) return rounded(score);
  const unkept = scoreUnkept(fleet, board.request, row);
  return unkept >= 0 && Number.isFinite(unkept) ? rounded(unkept) : 0;
}

function candidate(fleet: Fleet, board: Scoreboard, row: number): Candidate {
  const { nodes, sites } = fleet.snapshot;
  return {
    nodeId: nodes.ids[row] as NodeId,
    siteId: sites.ids[nodes.site[row]!] as SiteId,
    score: scoreFor(fleet, board, row),
    terms: termsOf(fleet, board, row),
  };
}

/** Nodes of one class have the same terms. */
function termsOf(fleet: Fleet, board: Scoreboard, row: number): readonly ScoreTerm[] {
  const number = fleet.classes.of[row]!;
  const birth = fleet.classes.birth[number]!;
  const known = board.terms.get(number);
  if (known?.birth === birth) return known.terms;
  const made = terms(fleet, board.request, row);
  if (board.terms.size >= mostTerms) board.terms.clear();
  board.terms.set(number, { birth, terms: made });
  return made;
}

function terms(fleet: Fleet, request: NodeRequest, row: number): ScoreTerm[] {
  const { nodes } = fleet.snapshot;
  const result: ScoreTerm[] = [
    { name: 'price', value: request.sitePrice[nodes.site[row]!]! / 1e6, unit: 'USD/h' },
    { name: 'cpu_left', value: rounded((fleet.cpuMilli[row]! - request.cpuMilli) / 1000), unit: 'cores' },
    { name: 'memory_left', value: rounded((fleet.memoryBytes[row]! - request.memoryBytes) / gibibyte), unit: 'GiB' },
  ];
  if (nodes.deviceCount[row]! > 0) {
    const taken = request.devices.reduce((sum, device) => sum + device.count * device.milli, 0);
    result.push({
      name: 'devices_left',
      value: rounded((fleet.nodeMilliFree[row]! - taken) / 1000),
      unit: 'devices',
    });
    if (fleet.fragmentation !== undefined) {
      const added = fragmentationAdded(fleet, request, row);
      result.push({ name: 'fragmentation_added', value: rounded(added), unit: 'thousandths of a device' });
    }
    if (fleet.power !== undefined) {
      result.push({ name: 'power_added', value: rounded(powerAdded(fleet, request, row)), unit: 'W' });
    }
  }
  if (request.labels !== undefined) {
    result.push({ name: 'labels_missed', value: request.labels.missed(fleet.snapshot, row), unit: 'preferred labels' });
  }
  const used = isolationUsed(nodes.isolation[row]!, request.shape.isolation);
  if (used !== undefined && used !== request.shape.isolation) {
    result.push({ name: `isolation_${used}`, value: isolationBit[used], unit: 'strength' });
  }
  if (request.shape.resources.deviceAlternatives.length > 1) {
    result.push({ name: 'alternative', value: request.alternative + 1, unit: 'position in the list' });
  }
  return result;
}

const rounded = (value: number) => Math.round(value * 1000) / 1000;
