/**
 * Why a job ran where it ran, or why it waits: the scheduler's own record, ordered for reading.
 *
 * Candidates become rows and the terms of their scores columns, so that two places are compared term by term. Nothing is
 * recomputed here: what is shown is what decided, kept with the attempt at that moment.
 */
import type { JobDetail } from '../../../api/contract.ts';

export type Explanation = NonNullable<JobDetail['attempts'][number]['explanation']>;

export interface TermColumn {
  readonly name: string;
  readonly label: string;
  readonly unit: string;
}

export interface CandidateRow {
  readonly nodeId: string;
  readonly siteId: string;
  /** 1 is best. */
  readonly place: number;
  readonly score: number;
  readonly chosen: boolean;
  /** By column; null where the candidate has no such term. */
  readonly values: readonly (number | null)[];
}

export interface WhyHere {
  readonly columns: readonly TermColumn[];
  readonly rows: readonly CandidateRow[];
  /** Candidates that fitted and are not listed. */
  readonly unlisted: number;
  readonly rejections: readonly RejectionRow[];
}

export interface RejectionRow {
  readonly code: string;
  readonly count: number;
  /** What these nodes lacked, as the end of "… nodes". */
  readonly words: string;
}

const termLabels: Readonly<Record<string, string>> = {
  price: 'Price',
  cpu_left: 'CPU left',
  memory_left: 'Memory left',
  devices_left: 'Devices left',
  fragmentation_added: 'Fragmentation added',
  power_added: 'Power added',
  alternative: 'Device choice',
  labels_missed: 'Labels missed',
  neighbours_missed: 'Rules missed',
  skew: 'Skew',
};

/** What each rejection says about a node. */
const rejectionWords: Readonly<Record<string, string>> = {
  presence: 'are not ready',
  cordoned: 'are cordoned or draining',
  unhealthy: 'are unhealthy',
  isolation: 'do not offer the isolation asked for',
  network: 'do not allow the host network',
  labels: 'have not the labels that `placement` asks for',
  cpu: 'have too little CPU free',
  memory: 'have too little memory free',
  disk: 'have too little disk free',
  device_kind: 'have no device of the kind asked for',
  device_model: 'have no device of the models asked for',
  device_memory: 'have devices with too little memory',
  device_driver: 'have an older driver than asked for',
  device_count: 'have too few matching devices free',
  price: 'cost more than maxPricePerHour',
  reserved: 'are kept for jobs before it',
  affinity: 'have room, but not beside the jobs that `placement.affinity` names',
  anti_affinity: 'have room, but stand with jobs that `placement.antiAffinity` names',
  spread: 'have room, but their part holds too many of its tasks for `placement.spread`',
};

/** Orders an explanation. @param nodes nodes that the job took, ≥ 1: so many candidates, from the best, were chosen */
export function readExplanation(explanation: Explanation, nodes: number): WhyHere {
  const columns = new Map<string, TermColumn>();
  for (const { terms } of explanation.candidates) {
    for (const { name, unit } of terms) {
      const key = `${name} ${unit}`;
      if (!columns.has(key)) columns.set(key, { name, label: labelOf(name), unit });
    }
  }
  const keys = [...columns.keys()];
  const rows = explanation.candidates.map((candidate, index) => {
    const values = new Map(candidate.terms.map(({ name, unit, value }) => [`${name} ${unit}`, value]));
    return {
      nodeId: candidate.nodeId,
      siteId: candidate.siteId,
      place: index + 1,
      score: candidate.score,
      chosen: index < nodes,
      values: keys.map((key) => values.get(key) ?? null),
    };
  });
  return {
    columns: [...columns.values()],
    rows,
    unlisted: Math.max(0, explanation.feasibleCount - rows.length),
    rejections: readRejections(explanation.rejections),
  };
}

/** Rejections, most frequent first. */
export function readRejections(rejections: Readonly<Record<string, number>> | null): RejectionRow[] {
  return Object.entries(rejections ?? {})
    .filter(([, count]) => count > 0)
    .sort(([codeA, a], [codeB, b]) => b - a || (codeA < codeB ? -1 : 1))
    .map(([code, count]) => ({ code, count, words: wordsOf(code, count) }));
}

function wordsOf(code: string, count: number): string {
  const words = rejectionWords[code] ?? `were refused by ${code}`;
  if (count !== 1) return words;
  return words
    .replace(/^are\b/, 'is')
    .replace(/^have\b/, 'has')
    .replace(/^do\b/, 'does')
    .replace(/^cost\b/, 'costs')
    .replace(/^were\b/, 'was');
}

function labelOf(name: string): string {
  const words = termLabels[name] ?? name.replaceAll('_', ' ');
  return words.charAt(0).toUpperCase() + words.slice(1);
}

const pendingTitles: Readonly<Record<string, string>> = {
  new: 'Not yet looked at by the scheduler',
  earliest_start: 'Waits for its earliest start',
  retry_backoff: 'Waits before its next attempt',
  no_matching_node: 'No node could ever hold it',
  insufficient_capacity: 'The nodes that could hold it are busy',
  nodes_unavailable: 'The nodes that could hold it are away',
  price_above_limit: 'Every site costs more than its limit',
  placement_rule: 'There is room, but not where its placement lets it stand',
  behind_others: 'Capacity is kept for jobs before it',
  reserved_for_others: 'Free nodes are reserved for others',
  capacity_taken: 'Another plan took the capacity',
  waits_for_jobs: 'Other jobs come first',
  quota_exhausted: 'The quota of its account is used up',
  limit_reached: 'A limit of its account is reached',
  budget_exhausted: 'The budget of its account is used up',
  waits_for_preempted: 'Work is ended to make room for it',
};

/** A pending reason as the beginning of an explanation. */
export const pendingTitle = (reason: string): string =>
  pendingTitles[reason] ?? `Waits: ${reason.replaceAll('_', ' ')}`;
