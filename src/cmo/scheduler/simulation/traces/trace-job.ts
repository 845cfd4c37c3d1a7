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
  /** What it asks of its node, where the trace says more than one number; `size` says nothing then. */
  readonly wants?: TraceWants;
}

export interface TraceWants {
  readonly cpuMilli: number;
  readonly memoryBytes: number;
  /** Devices, ≥ 0, and thousandths of each, 1–1000. */
  readonly devices: number;
  readonly milli: number;
  /** Models that will do; empty: any. */
  readonly models: readonly string[];
}
