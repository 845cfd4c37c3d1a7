/** A rule about other jobs with where those stand that it means, and whether a node meets it. */
import { domainOf } from '../domains.ts';
import type { Snapshot } from '../snapshot.ts';
import type { Counts, Meant } from './neighbours.ts';
import type { NeighbourRule } from './rules.ts';

/** The code under which a node counts that a rule refuses. */
export type RuleCode = 'affinity' | 'anti_affinity' | 'spread';

export interface Judged {
  readonly tenant: string;
  readonly code: 'affinity' | 'anti_affinity';
  readonly rule: NeighbourRule;
  readonly counts: Counts;
  /** Whether it is a rule of the others that stand there, and not of the job. */
  readonly isTheirs: boolean;
}

/** Whom a rule means, and so whose ends make way. */
export const meantBy = ({ rule, isTheirs }: Judged): Meant =>
  isTheirs ? { keeping: { jobs: rule.jobs, level: rule.level } } : { labels: rule.jobs };

/** Whether a node meets a rule. */
export function isMet(snapshot: Snapshot, { code, rule, counts, isTheirs }: Judged, row: number): boolean {
  const part = domainOf(snapshot, rule.level, row);
  // Who stands nowhere is kept from nowhere.
  if (isTheirs) return !counts.has(part);
  if (code === 'anti_affinity') return part >= 0 && !counts.has(part);
  // The first of those that stand together has nobody to stand beside.
  return counts.size === 0 ? rule.self : part >= 0 && counts.has(part);
}
