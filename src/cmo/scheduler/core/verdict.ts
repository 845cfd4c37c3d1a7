/**
 * Why a shape does not start now: one coded reason, with a sentence that has the numbers and says what would unblock it.
 *
 * The most hopeful alternative decides: waiting for others to end beats bringing nodes back beats raising the limit. Worked out once a
 * round for each shape that is blocked and shared by all its jobs; the sentence only when somebody asks for it, since its numbers cost a
 * look at every node and most verdicts are the same as in the round before.
 */
import type { PendingVerdict } from '../../../common/contract/plan.ts';
import type { PendingReason } from '../../../common/contract/states/job.ts';
import { fitsFree } from './backfill/future.ts';
import { type Capacity, holdsAll } from './capacity.ts';
import { inOne } from './domains.ts';
import type { Fleet } from './fleet.ts';
import type { Vicinity } from './neighbours/vicinity.ts';
import { faultOfRules } from './neighbours/words.ts';
import { noMatchMessage } from './no-match.ts';
import type { NodeRequest } from './request.ts';
import { missingOn, weightOf } from './reserve.ts';
import type { Scoreboard } from './scoreboard.ts';
import { countOf, dollarsOf, missingOf } from './words.ts';

export type Verdict = Pick<PendingVerdict, 'reason' | 'detail'>;

/** A shape that does not fit now. */
export class Blocked {
  readonly reason: PendingReason;
  /** Whether it waits for others to end, and for nothing else: then nodes may be kept for it. */
  readonly canWait: boolean;
  readonly #vicinity: Vicinity | undefined;
  readonly #fleet: Fleet;
  readonly #boards: readonly Scoreboard[];
  /** The alternative that the reason speaks of. */
  readonly #chosen: number;

  /** @param boards one an alternative, in their order, never empty; none of them has room for all ranks */
  constructor(fleet: Fleet, boards: readonly Scoreboard[], vicinity?: Vicinity) {
    this.#fleet = fleet;
    this.#boards = boards;
    this.#vicinity = vicinity;
    const reasons = boards.map((_, alternative) => this.#reasonOf(alternative));
    const rank = (alternative: number) => hope.indexOf(reasons[alternative]!);
    this.#chosen = reasons.reduce((best, _, alternative) => (rank(alternative) < rank(best) ? alternative : best), 0);
    this.reason = reasons[this.#chosen]!;
    this.canWait =
      this.reason === 'insufficient_capacity' ||
      this.reason === 'behind_others' ||
      (this.reason === 'placement_rule' && holdsAll(this.#capacity(boards[this.#chosen]!), boards[0]!.request.ranks));
  }

  #capacity(board: Scoreboard): Capacity {
    return this.#vicinity?.narrow(board) ?? board.capacity();
  }

  /** What could hold each alternative if it were idle. */
  *possible(): Generator<{ request: NodeRequest; capacity: Capacity }> {
    for (const board of this.#boards) yield { request: board.request, capacity: this.#capacity(board) };
  }

  /** What the reason speaks of, of several alternatives. */
  get wanted(): NodeRequest {
    return this.#boards[this.#chosen]!.request;
  }

  wantedCapacity(): Capacity {
    return this.#capacity(this.#boards[this.#chosen]!);
  }

  /** The sentence and the counts, by the state of the round when it is asked for. */
  detail(): Verdict['detail'] {
    const board = this.#boards[this.#chosen]!;
    const capacity = this.#capacity(board);
    const vicinity = this.#vicinity;
    const message =
      this.reason === 'placement_rule' && vicinity !== undefined
        ? ruleMessage(this.#fleet, vicinity, board, capacity)
        : messageOf(this.#fleet, this.reason, board, capacity);
    return { message, rejections: { ...board.rejections(), ...vicinity?.rejections(board) } };
  }

  #reasonOf(alternative: number): PendingReason {
    const board = this.#boards[alternative]!;
    if (board.fitsIdle()) {
      if (this.#vicinity !== undefined) return besideOthers(this.#fleet, board, this.#capacity(board));
      return board.fitsWithoutReservations() ? 'behind_others' : 'insufficient_capacity';
    }
    const { ranks } = board.request;
    const capacity = board.capacity();
    if (capacity.mostUnavailable >= ranks) return 'nodes_unavailable';
    return capacity.mostAtAll >= ranks ? 'price_above_limit' : 'no_matching_node';
  }
}

const hope: readonly PendingReason[] = [
  'behind_others',
  'insufficient_capacity',
  'placement_rule',
  'nodes_unavailable',
  'price_above_limit',
  'no_matching_node',
];

/** Why a job with rules about other jobs does not start, though an idle fleet would hold it. */
function besideOthers(fleet: Fleet, board: Scoreboard, narrowed: Capacity): PendingReason {
  const { request } = board;
  if (!holdsAll(narrowed, request.ranks) || board.choose() !== undefined) return 'placement_rule';
  const free = new Map(
    [...narrowed.usable].map(([part, rows]) => [
      part,
      rows.filter((row) => fitsFree(fleet.snapshot, fleet, request, row)),
    ]),
  );
  return holdsAll({ ...narrowed, usable: free }, request.ranks) ? 'behind_others' : 'insufficient_capacity';
}

/** The rule that leaves no node, or what is missing where the rules let it stand. */
function ruleMessage(fleet: Fleet, vicinity: Vicinity, board: Scoreboard, capacity: Capacity): string {
  if (holdsAll(capacity, board.request.ranks)) {
    return `Nodes with room stand where its \`placement\` does not let it. ${waitMessage(fleet, board, capacity)}`;
  }
  return faultOfRules(fleet, vicinity, board.capacity());
}

function messageOf(fleet: Fleet, reason: PendingReason, board: Scoreboard, capacity: Capacity): string {
  const { request } = board;
  switch (reason) {
    case 'behind_others':
      return `Free nodes would hold it, but they are kept for jobs before it; it goes on when those have started.`;
    case 'nodes_unavailable':
      return `${nodesThatCould(capacity.mostUnavailable)}, but not while ${away(board)}; it goes on when they are back.`;
    case 'price_above_limit':
      return priceMessage(request, capacity);
    case 'insufficient_capacity':
      return waitMessage(fleet, board, capacity);
    default:
      return noMatchMessage(fleet, request, capacity);
  }
}

const nodesThatCould = (count: number) => `${countOf(count, 'node')} could hold it`;

function away(board: Scoreboard): string {
  const { presence = 0, cordoned = 0, unhealthy = 0 } = board.rejections();
  const parts = [
    presence > 0 ? `${presence} not ready` : '',
    cordoned > 0 ? `${cordoned} cordoned or draining` : '',
    unhealthy > 0 ? `${unhealthy} unhealthy` : '',
  ].filter((part) => part !== '');
  return parts.length === 0 ? 'devices are unhealthy' : `nodes are away (${parts.join(', ')})`;
}

function priceMessage(request: NodeRequest, capacity: Capacity): string {
  const limit = `${dollarsOf(request.shape.maxUsdPerHour)} an hour`;
  if (capacity.leastPrice === undefined) return `No site that could hold it costs at most ${limit}.`;
  const price = `${dollarsOf(capacity.leastPrice)} an hour`;
  return `Its limit is ${limit}; the cheapest site that could hold it costs ${price}. Raise maxPricePerHour to that.`;
}

function waitMessage(fleet: Fleet, board: Scoreboard, capacity: Capacity): string {
  const { request } = board;
  const list = request.shape.resources.deviceAlternatives[request.alternative]!;
  if (request.ranks > 1) {
    const free = board.mostTogether();
    return `Needs ${request.ranks} nodes ${inOne(request.within)} at once; at most ${free} ${free === 1 ? 'is' : 'are'} free ${inOne(request.within).slice(0, -request.within.length - 1)} now, ${nodesThatCould(capacity.mostUsable)} when their work ends.`;
  }
  const rows = [...capacity.usable.values()].flat();
  const when = `${nodesThatCould(rows.length)} when their work ends.`;
  let nearest: ReturnType<typeof missingOn> | undefined;
  for (const row of rows) {
    const missing = missingOn(fleet, request, row);
    if (nearest === undefined || weightOf(missing) < weightOf(nearest)) nearest = missing;
  }
  const needs = nearest === undefined ? '' : missingOf(nearest, list);
  return needs === '' ? when : `Needs ${needs} on one node; ${when}`;
}
