/**
 * The scoreboards of a fleet, by shape: made when a shape is looked at first, forgotten when there are too many and others were used since.
 */
import type { Fleet } from './fleet.ts';
import { compileShape } from './request.ts';
import { Scoreboard } from './scoreboard.ts';
import type { Shape } from './snapshot.ts';

export class Boards {
  readonly fleet: Fleet;
  /** By key of the shape, least recently used first; one board an alternative. */
  readonly #current = new Map<string, readonly Scoreboard[]>();
  /** Boards by an older scoring, of which only the refusals are good. */
  readonly #stale: Map<string, readonly Scoreboard[]>;

  /** @param from boards by an older scoring of the same fleet, from which these are made when their shapes are looked at */
  constructor(fleet: Fleet, from?: Boards) {
    this.fleet = fleet;
    this.#stale = new Map(from === undefined ? [] : [...from.#stale, ...from.#current]);
  }

  /** How many shapes have boards. */
  get size(): number {
    return this.#current.size + this.#stale.size;
  }

  /** Boards of a shape that has no fault, one an alternative, in their order; to be brought up to date by `sync`. */
  of(shape: Shape): readonly Scoreboard[] {
    const boards =
      this.#current.get(shape.key) ??
      renewed(this.fleet, this.#stale.get(shape.key)) ??
      compileShape(shape, this.fleet.snapshot).map((request) => new Scoreboard(this.fleet, request));
    this.#stale.delete(shape.key);
    this.#current.delete(shape.key);
    this.#current.set(shape.key, boards);
    return boards;
  }

  /** Keys of the shapes with boards, least recently used first. */
  keys(): string[] {
    return [...this.#stale.keys(), ...this.#current.keys()];
  }

  has(key: string): boolean {
    return this.#current.has(key);
  }

  /** Also takes over, as boards by an older scoring, those of shapes that have none here. */
  takeOver(from: Boards): void {
    for (const [key, boards] of from.#current) {
      if (!this.#current.has(key) && !this.#stale.has(key)) this.#stale.set(key, boards);
    }
  }

  /** Brings the boards of some shapes up to date. */
  sync(keys: readonly string[]): void {
    for (const key of keys) for (const board of this.#current.get(key) ?? this.#stale.get(key) ?? []) board.sync();
  }

  /** Makes the boards of a shape at once. */
  renew(key: string): void {
    const boards = renewed(this.fleet, this.#stale.get(key));
    this.#stale.delete(key);
    if (boards !== undefined) this.#current.set(key, boards);
  }

  /** Forgets the least recently used until there are at most `most` shapes with boards. */
  forget(most: number): void {
    for (const boards of [this.#stale, this.#current]) {
      for (const key of boards.keys()) {
        if (this.size <= most) return;
        boards.delete(key);
      }
    }
  }
}

function renewed(fleet: Fleet, boards: readonly Scoreboard[] | undefined): readonly Scoreboard[] | undefined {
  return boards?.map((board) => new Scoreboard(fleet, board.request, board));
}
