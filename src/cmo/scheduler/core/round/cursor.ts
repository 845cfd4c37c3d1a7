/** How far a round is with a group: its next job, and the boards of its shape, which all groups of that shape share. */
import type { Placement } from '../../../../common/contract/plan.ts';
import type { Group } from '../job-group.ts';
import type { JobRecord } from '../job-record.ts';
import type { Vicinity } from '../neighbours/vicinity.ts';
import type { Scoreboard } from '../scoreboard.ts';
import type { JobSource } from '../shares/fair-order.ts';
import type { Account } from '../shares/ledger.ts';
import { type Use, wantedUse } from '../shares/use.ts';
import type { PendingJob, Shape } from '../snapshot.ts';
import { Stretch } from '../stretch.ts';

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
  readonly #records: readonly JobRecord[];
  /** The record that is being taken from, and the position in it. */
  #next = 0;
  #position: number;
  #head: PendingJob | undefined;

  /** @param records those of the group that the vicinity is of */
  constructor(group: Group, account: Account, view: ShapeView, vicinity?: Vicinity, records = group.records()) {
    this.#vicinity = vicinity;
    this.group = group;
    this.account = account;
    this.view = view;
    this.#records = records;
    this.#position = records[0]?.begin ?? 0;
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
    this.#head ??= this.#records[this.#next]!.jobAt(this.#position);
    return this.#head;
  }

  get use(): Use {
    return this.view.uses[0]!;
  }

  get isDone(): boolean {
    return this.#next >= this.#records.length;
  }

  /** Goes past the head and returns it. */
  advance(): Stretch {
    const one = new Stretch(this.#records, this.#next, this.#position, true);
    this.#head = undefined;
    this.#position += 1;
    if (this.#position < this.#records[this.#next]!.end) return one;
    this.#next += 1;
    this.#position = this.#records[this.#next]?.begin ?? 0;
    return one;
  }

  /** Goes past all that are left and returns them. */
  finish(): Stretch {
    const rest = new Stretch(this.#records, this.#next, this.#position);
    this.#next = this.#records.length;
    return rest;
  }
}
