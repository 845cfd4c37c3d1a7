/**
 * When will a job start? A forecast by playing the queue forward on predicted run times.
 *
 * The cluster counts as one pool, jobs start in order, nobody passes and nobody new comes: fragmentation would make the
 * wait longer, backfill and small work shorter, and both are seldom as wrong as the run times. Twice, with median and with P80 run
 * times, gives a likely and a careful answer. Costs (running + ahead) · log.
 */
import { MinHeap } from '../core/min-heap.ts';

export interface SpanOfWork {
  /** Devices or cores, ≥ 1. */
  readonly size: number;
  /** Seconds that it still runs (running) or will run (waiting). */
  readonly p50: number;
  readonly p80: number;
}

export interface WaitForecast {
  /** Seconds from now; null when it never fits, or what is ahead never ends. */
  readonly likelySeconds: number | null;
  /** Never less than `likelySeconds`. */
  readonly carefulSeconds: number | null;
}

/**
 * @param capacity of the pool, ≥ 0
 * @param ahead jobs that start before it, in order
 * @param size of the job that asks
 */
export function forecastWait(
  capacity: number,
  running: readonly SpanOfWork[],
  ahead: readonly SpanOfWork[],
  size: number,
): WaitForecast {
  const likelySeconds = play(capacity, running, ahead, size, ({ p50 }) => p50);
  const careful = play(capacity, running, ahead, size, ({ p50, p80 }) => Math.max(p50, p80));
  // A longer run time can by chance open a gap earlier; a careful answer is not to be the shorter one.
  return {
    likelySeconds,
    carefulSeconds: likelySeconds === null || careful === null ? null : Math.max(likelySeconds, careful),
  };
}

function play(
  capacity: number,
  running: readonly SpanOfWork[],
  ahead: readonly SpanOfWork[],
  size: number,
  secondsOf: (work: SpanOfWork) => number,
): number | null {
  if (!(size <= capacity)) return null;
  const ends = new MinHeap<{ at: number; size: number }>((a, b) => a.at - b.at);
  let free = capacity;
  for (const work of running) {
    free -= work.size;
    ends.push({ at: finite(secondsOf(work)), size: work.size });
  }
  let now = 0;
  const waitFor = (wanted: number): boolean => {
    while (free < wanted) {
      const end = ends.pop();
      if (end === undefined || end.at === Number.POSITIVE_INFINITY) return false;
      now = Math.max(now, end.at);
      free += end.size;
    }
    return true;
  };
  for (const work of ahead) {
    // What never fits waits for ever, but in nobody's way.
    if (!(work.size <= capacity)) continue;
    if (!waitFor(work.size)) return null;
    free -= work.size;
    ends.push({ at: now + finite(secondsOf(work)), size: work.size });
  }
  return waitFor(size) ? now : null;
}

/** A time that is no number says that the end is not known. */
const finite = (seconds: number) => (seconds >= 0 ? seconds : Number.POSITIVE_INFINITY);
