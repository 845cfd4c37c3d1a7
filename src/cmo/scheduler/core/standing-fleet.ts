/**
 * The fleet and its scoreboards, kept from round to round.
 *
 * Reading 100,000 nodes and scoring them for 100 shapes takes seconds; a round changes a thousand of them. So the running scheduler keeps both
 * and only reads again what changed. Plans must not depend on it: a round on a standing fleet decides what a round on one that is made
 * anew from the same snapshot decides (tested on random histories, and by replay of recorded rounds).
 *
 * What the workload is expected to be changes with every few arrivals, and then every score. Where judging all of that at once would hold a
 * round up, the next expectation is made ready over some rounds while rounds go on with the last one.
 */
import { Boards } from './boards.ts';
import { type Expectation, ExpectationPace } from './expectation-pace.ts';
import { Fleet, type Scoring } from './fleet.ts';
import type { RunningJob } from './running.ts';
import type { ExpectedShape, PlacementRule, Snapshot } from './snapshot.ts';

/** Verdicts that boards hold in all, 8 bytes each; at least `fewestBoards` are kept whatever they hold. */
const mostVerdicts = 40_000_000;
const fewestBoards = 16;
/** Verdicts for the next expectation that a round works out for each arrival since the last, so that a small round stays short. */
const verdictsPerArrival = 1024;
const mostBoards = 1024;
/** How much the load must have changed for a watt to be weighed anew, and with it every node: share of the devices. */
const loadStep = 0.05;

/** By what nodes are to be scored. */
interface Wanted {
  readonly workload: readonly ExpectedShape[];
  readonly load: number | undefined;
}

/** What differs from the last snapshot. */
export interface FleetChanges {
  readonly nodes: Iterable<number>;
  readonly running: ReadonlyMap<string, RunningJob | null>;
}

export class StandingFleet {
  readonly #verdictsAhead: number;
  #boards: Boards | undefined;
  #placement: PlacementRule | undefined;
  #sites = '';
  #types = '';
  #next: { readonly scoring: Scoring; readonly boards: Boards } | undefined;
  readonly #pace = new ExpectationPace();

  /** @param verdictsAhead how many a round may work out for the next expectation, ≥ 1: about 50 ms; so many at once need no preparation */
  constructor(verdictsAhead = 150_000) {
    this.#verdictsAhead = verdictsAhead;
  }

  /** Forgets everything. */
  reset(): void {
    this.#boards = undefined;
    this.#next = undefined;
  }

  /**
   * Takes over a snapshot.
   * @param changed rows of all nodes that were changed in the columns since the last call
   * @param latest the workload that is expected by all arrivals so far
   * @returns the snapshot to plan on, with the workload to expect: the latest, or the last one while that is made ready
   */
  prepare(snapshot: Snapshot, changed: FleetChanges, latest: Expectation, placement: PlacementRule): Snapshot {
    const boards = this.#standing(snapshot, placement);
    if (boards === undefined) return this.#anew(snapshot, latest);
    const { fleet } = boards;
    fleet.refresh(snapshot, changed.nodes);
    fleet.noteRunning(changed.running);
    fleet.classes.log.trim(4096 + 2 * snapshot.nodes.length);
    boards.forget(Math.max(fewestBoards, Math.min(mostBoards, mostVerdicts / fleet.classes.end)));
    if (fleet.deviceTypes.key !== this.#types || fleet.classes.groupCount > 4096 + 4 * snapshot.nodes.length) {
      this.reset();
      return this.#anew(snapshot, latest);
    }
    const { workload, load } = this.#scoringBy(boards, latest);
    const { power } = snapshot;
    const prepared = { ...snapshot, workload, ...(power && load !== undefined && { power: { ...power, load } }) };
    fleet.refresh(prepared, []);
    return prepared;
  }

  #anew(snapshot: Snapshot, latest: Expectation): Snapshot {
    this.#pace.used(latest);
    return { ...snapshot, workload: latest.shapes };
  }

  /** By what to score this round: the last expectation and load, or new ones when it is time and they are ready. */
  #scoringBy(boards: Boards, latest: Expectation): Wanted {
    const { scoring, classes } = boards.fleet;
    const { workload } = scoring;
    const verdicts = boards.size * classes.end;
    const since = this.#pace.arrived(latest);
    if (this.#next === undefined) {
      const load = loadOf(boards.fleet);
      if (workload === undefined || workload.length === 0) return { workload: latest.shapes, load };
      const isDue = workload !== latest.shapes && this.#pace.isDue(latest, verdicts);
      if (!isDue && load === scoring.load) return { workload, load };
      if (isDue) this.#pace.used(latest);
      const wanted = { workload: isDue ? latest.shapes : workload, load };
      if (verdicts <= this.#verdictsAhead) return wanted;
      this.#begin(boards, wanted);
    }
    return this.#makeReady(boards, Math.min(this.#verdictsAhead, (since + 1) * verdictsPerArrival));
  }

  /** Boards to plan a round with: those that stand if the snapshot is the one that was prepared, else of a fleet that is made anew. */
  open(snapshot: Snapshot, workload: readonly ExpectedShape[] | undefined, placement: PlacementRule): Boards {
    let boards = this.#boards;
    if (boards === undefined || boards.fleet.snapshot !== snapshot || placement !== this.#placement) {
      this.reset();
      boards = new Boards(new Fleet(snapshot, workload));
      this.#placement = placement;
      this.#sites = textOf(snapshot);
      this.#types = boards.fleet.deviceTypes.key;
    } else if (
      boards.fleet.scoring.workload !== workload ||
      boards.fleet.scoring.load !==
        (snapshot.power === undefined ? undefined : (snapshot.power.load ?? boards.fleet.load))
    ) {
      this.#next = undefined;
      boards.fleet.prepare(undefined);
      boards.fleet.use(boards.fleet.scoringFor(workload));
      boards = new Boards(boards.fleet, boards);
    }
    this.#boards = boards;
    return boards;
  }

  /** What stands, if the snapshot is of the same columns, sites, models and drivers. */
  #standing(snapshot: Snapshot, placement: PlacementRule): Boards | undefined {
    const before = this.#boards?.fleet.snapshot;
    const stands =
      before !== undefined &&
      placement === this.#placement &&
      before.nodes.site === snapshot.nodes.site &&
      before.devices.kind === snapshot.devices.kind &&
      textOf(snapshot) === this.#sites;
    if (!stands) this.reset();
    return this.#boards;
  }

  /** Begins to make another scoring ready. */
  #begin(boards: Boards, { workload, load }: Wanted): void {
    const { fleet } = boards;
    const scoring = fleet.scoringFor(workload, load);
    this.#next = { scoring, boards: new Boards(fleet, boards) };
    fleet.prepare(scoring);
  }

  /** Goes on making the next scoring ready; returns what the one is of that is in use then. */
  #makeReady(boards: Boards, verdicts: number): Wanted {
    const { fleet } = boards;
    const { scoring, boards: next } = this.#next!;
    next.takeOver(boards);
    const missing = next.keys().filter((key) => !next.has(key));
    const some = missing.slice(-Math.max(1, Math.floor(verdicts / fleet.classes.end)));
    // What is copied from the boards in use must be judged by the scoring in use.
    boards.sync(some);
    fleet.scoredBy(scoring, () => {
      for (const key of some) next.renew(key);
    });
    if (missing.length > some.length) return { workload: fleet.scoring.workload!, load: fleet.scoring.load };
    fleet.use(scoring);
    this.#boards = next;
    this.#next = undefined;
    return { workload: scoring.workload!, load: scoring.load };
  }
}

/** The load to weigh watts by: that in use until it has changed by a step; undefined when power is not looked at. */
function loadOf({ scoring, snapshot, load }: Fleet): number | undefined {
  if (snapshot.power === undefined) return undefined;
  return scoring.load !== undefined && Math.abs(load - scoring.load) < loadStep ? scoring.load : load;
}

/** What requests are compiled from besides nodes and devices. */
const textOf = ({ sites, models, drivers, power }: Snapshot) =>
  JSON.stringify([
    sites.ids.map((id, row) => [
      id,
      sites.deviceUsdPerHour[row],
      sites.cpuUsdPerHour[row],
      sites.memoryUsdPerHour[row],
      sites.labels?.[row],
    ]),
    models,
    drivers,
    power && [[...power.deviceIdleWatts], [...power.deviceBusyWatts], power.processor],
  ]);
