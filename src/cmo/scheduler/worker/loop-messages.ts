/** What the main thread and the thread of the scheduler's loop say to each other. */
import type { DatabaseLogins } from '../../../common/database/index.ts';
import type { SchedulerMetric } from '../metrics.ts';
import type { SchedulerSettings } from '../settings.ts';

/** What the thread starts with. */
export interface LoopSettings extends SchedulerSettings {
  readonly logins: DatabaseLogins;
  /** Of the `Traffic` that requests are counted in. */
  readonly traffic: SharedArrayBuffer;
  /** Lines below it are not made. */
  readonly logLevel: string;
}

export type ToLoop = { readonly type: 'wake' } | { readonly type: 'stop' };

export type FromLoop =
  /** Others have something to do. */
  | { readonly type: 'wake'; readonly topic: string }
  | { readonly type: 'ready'; readonly ready: boolean }
  | { readonly type: 'metric'; readonly metric: SchedulerMetric }
  /** A line as JSON, its `level` by name. */
  | { readonly type: 'log'; readonly line: string };
