/** What of a job its run time is predicted from; small, since a million queued jobs have it. */
import type { JobSpec } from '../../common/contract/job-spec.ts';

export interface JobTraits {
  /** Who submitted it. */
  readonly user: string;
  readonly name: string;
  /** Devices, or cores of a job without; ≥ 1. */
  readonly size: number;
  /** Its time limit, seconds; null without one. */
  readonly runSeconds: number | null;
}

interface Known {
  readonly user: string;
  readonly name: string;
  readonly devices: number;
  readonly cores: number;
  readonly runSeconds: number | null | undefined;
}

export function traitsOf({ user, name, devices, cores, runSeconds }: Known): JobTraits {
  const limit = typeof runSeconds === 'number' && runSeconds > 0 ? runSeconds : null;
  return { user, name, size: Math.max(1, devices > 0 ? devices : cores), runSeconds: limit };
}

/** The traits of a job that is queued; those of one whose spec cannot be read say nothing. */
export function traitsOfSpec(spec: JobSpec, user: string, name: string): JobTraits {
  const resources = spec.resources as Partial<JobSpec['resources']> | undefined;
  const nodes = resources?.nodes ?? 1;
  const list = resources?.deviceAlternatives?.[0] ?? [];
  const devices = list.reduce((sum, { count, milli }) => sum + (count * milli) / 1000, 0);
  const cores = (resources?.cpuMilli ?? 1000) / 1000;
  const runSeconds = (spec.timeouts as Partial<JobSpec['timeouts']> | undefined)?.run;
  return traitsOf({ user, name, devices: devices * nodes, cores: cores * nodes, runSeconds });
}
