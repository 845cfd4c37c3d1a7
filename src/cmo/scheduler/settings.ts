/** What an operator's configuration says of the scheduler, as its options. */
import { mkdirSync } from 'node:fs';
import { resolve } from 'node:path';
import type { Config } from '../../common/config/index.ts';
import { defaultPolicy } from './core/policy.ts';
import type { Policy } from './core/snapshot.ts';

/** Plain data, since it goes to a thread. */
export interface SchedulerSettings {
  /** What differs from `defaultPolicy`. */
  readonly policy?: Partial<Policy> | undefined;
  /** Folder that rounds are recorded in; it exists. */
  readonly recordRounds?: string | undefined;
}

/** What of the policy is not as by default. */
export function schedulerPolicy(config: Config['scheduler']): Partial<Policy> {
  const {
    preemptByPriority: byPriority,
    leastRunSeconds: minRunSeconds,
    reserveAfterSeconds,
    powerAware,
    order,
  } = config;
  return {
    reserveAfterSeconds,
    powerAware,
    order,
    preemption: { ...defaultPolicy.preemption, byPriority, minRunSeconds },
  };
}

/** @throws when the folder for records cannot be made */
export function schedulerSettings(config: Config['scheduler']): SchedulerSettings {
  const policy = schedulerPolicy(config);
  if (config.recordRounds === undefined) return { policy };
  const recordRounds = resolve(config.recordRounds);
  mkdirSync(recordRounds, { recursive: true, mode: 0o700 });
  return { policy, recordRounds };
}
