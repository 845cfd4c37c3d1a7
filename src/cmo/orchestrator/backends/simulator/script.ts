/** What a simulated attempt does, and what goes wrong around it. */
import type { AttemptToRun, RankEnd } from '../backend.ts';

export interface ScriptedEnd {
  readonly reason: RankEnd;
  readonly exitCode: number | null;
  readonly signal: string | null;
  readonly message: string | null;
  /** With `start-failed`: no further try ends otherwise. */
  readonly permanent?: boolean;
}

/** The same for every rank, unless `of` says otherwise. */
export interface Script {
  /** From the delivery of the start until it runs, seconds ≥ 0. */
  readonly startSeconds: number;
  /** From running until it ends by itself, seconds ≥ 0; null: never. */
  readonly runSeconds: number | null;
  readonly end: ScriptedEnd;
  /** From a stop until it has ended, seconds ≥ 0; killed when the grace is over. */
  readonly stopSeconds: number;
  readonly faults: Faults;
}

export interface Faults {
  /** The submit is refused, with this reason. */
  readonly refuse?: string;
  /** The caller dies (`SimulatedCrash`) at its first submit: before it has any effect, or after. */
  readonly crash?: 'before-effect' | 'after-effect';
  /** Reports arrive so many seconds late. */
  readonly reportDelaySeconds?: number;
  /** Every report arrives twice, one second apart. */
  readonly duplicateReports?: boolean;
  /** `running` arrives after `ended`, which is then repeated: an observation goes back for a while. */
  readonly reorderReports?: boolean;
}

/** Thrown where the process that calls the backend is to die. */
export class SimulatedCrash extends Error {}

export const success: ScriptedEnd = { reason: 'exited', exitCode: 0, signal: null, message: null };

const ends: Readonly<Record<string, ScriptedEnd>> = {
  success,
  'out-of-memory': { reason: 'out-of-memory', exitCode: null, signal: 'SIGKILL', message: 'used too much memory' },
  'timed-out': { reason: 'timed-out', exitCode: null, signal: 'SIGTERM', message: 'ran longer than its time-out' },
  'start-failed': { reason: 'start-failed', exitCode: null, signal: null, message: 'could not be started' },
  'cannot-start': { reason: 'start-failed', exitCode: null, signal: null, message: 'never can be', permanent: true },
};

/** An end by name: `success`, `out-of-memory`, `timed-out`, `start-failed`, `cannot-start`, or an exit code. */
export function endNamed(name: string | number): ScriptedEnd {
  return ends[name] ?? { reason: 'exited', exitCode: Number(name) || 0, signal: null, message: null };
}

/**
 * The script of a job that says nothing else: some seconds of start, up to a minute of run, success. A job's environment may say
 * `SIMULATE_START_SECONDS`, `SIMULATE_RUN_SECONDS` and `SIMULATE_END` (an exit code, or a name that `endNamed` knows).
 * @param random for what is not said
 */
export function scriptOfSpec({ spec }: AttemptToRun, random: () => number): Script {
  const number = (name: string, otherwise: number) => {
    const value = Number(spec.env[name] ?? Number.NaN);
    return Number.isFinite(value) && value >= 0 ? value : otherwise;
  };
  return {
    startSeconds: number('SIMULATE_START_SECONDS', 0.5 + 2.5 * random()),
    runSeconds: number('SIMULATE_RUN_SECONDS', 5 + 55 * random()),
    end: endNamed(spec.env.SIMULATE_END ?? 'success'),
    stopSeconds: 0.1,
    faults: {},
  };
}
