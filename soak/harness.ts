/**
 * What every soak has in common: it does something for a long time, counts, and says which invariants broke.
 *
 * A soak is a folder `soak/<name>` whose index.ts exports `soak`. Its last line is one JSON object, also when it falls
 * over itself: a soak that crashed has proved nothing and must not look like one that passed. The short forms that run
 * in the tests call `runSoak` with few minutes.
 */
export interface SoakContext {
  /** Start of every random choice; printed, so that a broken run can be repeated. */
  readonly seed: number;
  /** How long to go on, minutes, > 0. */
  readonly minutes: number;
  /** Most kills, > 0, for soaks that kill; they have a number of their own. */
  readonly kills?: number | undefined;
  /** How many jobs and faults, > 0, for soaks that count by them. */
  readonly jobs?: number | undefined;
  readonly faults?: number | undefined;
  /** Says how far it is; goes to standard error. */
  progress(line: string): void;
}

export interface SoakOutcome {
  /** What happened how often, by name. */
  counts: Record<string, number>;
  /** Invariants that did not hold, each with what was seen. Empty when all is well. */
  broken: string[];
}

export interface Soak {
  readonly name: string;
  /** What it does and what must hold, in one line. */
  readonly question: string;
  /** Minutes when nobody says otherwise. */
  readonly defaultMinutes: number;
  run(context: SoakContext): Promise<SoakOutcome>;
}

export interface SoakReport extends SoakOutcome {
  name: string;
  seed: number;
  minutes: number;
  elapsedSeconds: number;
  ok: boolean;
}

/** Runs a soak; an exception becomes a broken invariant. */
export async function runSoak(soak: Soak, context: SoakContext): Promise<SoakReport> {
  const started = performance.now();
  const outcome = await soak
    .run(context)
    .catch((error: unknown): SoakOutcome => ({ counts: {}, broken: [`the soak itself failed: ${describe(error)}`] }));
  return {
    name: soak.name,
    seed: context.seed,
    minutes: context.minutes,
    elapsedSeconds: Math.round((performance.now() - started) / 100) / 10,
    ok: outcome.broken.length === 0,
    ...outcome,
  };
}

const describe = (error: unknown): string => (error instanceof Error ? (error.stack ?? error.message) : String(error));
