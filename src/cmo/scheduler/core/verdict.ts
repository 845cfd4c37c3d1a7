/**
 * Why a shape does not start now: one coded reason, with a sentence that has the numbers and says what would unblock it.
 *
 * The most hopeful alternative decides: waiting for others to end beats bringing nodes back beats raising the limit. Worked out once a
 * round for each shape that is blocked and shared by all its jobs; the sentence only when somebody asks for it, since its numbers cost a
 * look at every node and most verdicts are the same as in the round before.
 */
import type { PendingVerdict } from '../../../common/contract/plan.ts';
import type { PendingReason } from '../../../common/contract/states/job.ts';
import { type Capacity, fitsIdleFleet } from './capacity.ts';
import { inOne } from './domains.ts';
import type { Fleet } from './fleet.ts';
import { noMatchMessage } from './no-match.ts';
import type { NodeRequest } from './request.ts';
import { missingOn, weightOf } from './reserve.ts';
import type { Scoreboard } from './scoreboard.ts';
import { countOf, dollarsOf, missingOf } from './words.ts';

export type Verdict = Pick<PendingVerdict, 'reason' | 'detail'>;

/** A shape that does not fit now. */
export class Blocked {
  readonly reason: PendingReason;
  readonly #fleet: Fleet;
  readonly #boards: readonly Scoreboard[];
  /** The alternative that the reason speaks of. */
  readonly #chosen: number;

  /** @param boards one an alternative, in their order, never empty; none of them has room for all ranks */
  constructor(fleet: Fleet, boards: readonly Scoreboard[]) {
    this.#fleet = fleet;
    this.#boards = boards;
    const reasons = boards.map((_, alternative) => this.#reasonOf(alternative));
    const rank = (alternative: number) => hope.indexOf(reasons[alternative]!);
    this.#chosen = reasons.reduce((best, _, alternative) => (rank(alternative) < rank(best) ? alternative : best), 0);
    this.reason = reasons[this.#chosen]!;
  }

  /** What could hold each alternative if it were idle. */
  *possible(): Generator<{ request: NodeRequest; capacity: Capacity }> {
    for (const board of this.#boards) yield { request: board.request, capacity: board.capacity() };
  }

  /** The sentence and the counts, by the state of the round when it is asked for. */
  detail(): Verdict['detail'] {
    const board = this.#boards[this.#chosen]!;
    const message = messageOf(this.#fleet, this.reason, board, board.capacity());
    return { message, rejections: board.rejections() };
  }

  #reasonOf(alternative: number): PendingReason {
    const board = this.#boards[alternative]!;
    if (fitsIdleFleet(this.#fleet, board.request)) {
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
  'nodes_unavailable',
  'price_above_limit',
  'no_matching_node',
];

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
