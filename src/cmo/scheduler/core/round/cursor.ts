/** How far a round is with a group: its next job, and the boards of its shape, which all groups of that shape share. */
import type { Placement } from '../../../../common/contract/plan.ts';
import type { Vicinity } from '../neighbours/vicinity.ts';
import type { Group } from '../pending-queue.ts';
import type { Scoreboard } from '../scoreboard.ts';
import type { JobSource } from '../shares/fair-order.ts';
import type { Account } from '../shares/ledger.ts';
import { type Use, wantedUse } from '../shares/use.ts';
import type { PendingJob, Shape } from '../snapshot.ts';

/** A shape in a round: what a job of it takes, and its boards once one of its jobs is looked at. */
export class ShapeView {
  /** What a job takes at least, by each alternative. */
  readonly uses: readonly Use[];
  readonly #shape: Shape;
  readonly #open: (shape: Shape) => readonly Scoreboard[];
  #boards: readonly Scoreboard[] | undefined;

  constructor(shape: Shape, open: (shape: Shape) => readonly Scoreboard[]) {
    this.#shape = shape;
    this.#open = open;
    this.uses = shape.resources.deviceAlternatives.map((_, alternative) => wantedUse(shape, alternative));
  }

  /** One an alternative, in their order, current. */
  boards(): readonly Scoreboard[] {
    this.#boards ??= this.#open(this.#shape);
    for (const board of this.#boards) board.sync();
    return this.#boards;
  }
}

export class Cursor implements JobSource {
  readonly group: Group;
  readonly account: Account;
  readonly view: ShapeView;
  readonly #vicinity: Vicinity | undefined;
  readonly #jobs: readonly PendingJob[];
  #next = 0;

  /** @param jobs those of the group that the vicinity is of */
  constructor(group: Group, account: Account, view: ShapeView, vicinity?: Vicinity, jobs = group.jobs()) {
    this.#vicinity = vicinity;
    this.group = group;
    this.account = account;
    this.view = view;
    this.#jobs = jobs;
  }

  /** Where its jobs may stand by rules about other jobs, their own and those of others; undefined while none is in force. */
  get vicinity(): Vicinity | undefined {
    return this.#vicinity?.isInForce === true ? this.#vicinity : undefined;
  }

  /** What the commit must find of other jobs: rules that are not in force yet are so as soon as somebody else has placed a job. */
  conditions(board: Scoreboard): Pick<Placement, 'neighbours'> {
    const neighbours = this.#vicinity?.conditions(board) ?? [];
    return neighbours.length === 0 ? {} : { neighbours };
  }

  get head(): PendingJob {
    return this.#jobs[this.#next]!;
  }

  get use(): Use {
    return this.view.uses[0]!;
  }

  get isDone(): boolean {
    return this.#next >= this.#jobs.length;
  }

  /** Goes past the head. */
  advance(): void {
    this.#next += 1;
  }

  /** Goes past all that are left and returns them. */
  finish(): readonly PendingJob[] {
    const rest = this.#jobs.slice(this.#next);
    this.#next = this.#jobs.length;
    return rest;
  }
}
