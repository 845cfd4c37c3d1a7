/** A job as a trace tells it. */
export interface TraceJob {
  readonly id: string;
  /** Seconds since the trace's zero or since 1970; traces differ, and only differences matter. */
  readonly submittedAt: number;
  /** Seconds ≥ 0. */
  readonly runSeconds: number;
  /** Cores or devices, whichever the trace counts, ≥ 1. */
  readonly size: number;
  /** The user's estimate or limit, seconds > 0; null when the trace has none. */
  readonly estimateSeconds: number | null;
  /** Empty when the trace has none. */
  readonly user: string;
  readonly name: string;
}
