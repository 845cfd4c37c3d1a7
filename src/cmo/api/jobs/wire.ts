/** Rows of jobs and attempts in their wire form (contracts §9). */
import type { z } from 'zod';
import { explanationOf } from '../../../common/contract/explanation.ts';
import type { JobSpec } from '../../../common/contract/job-spec.ts';
import type { attempt, jobSummary } from '../../../common/contract/routes/jobs.ts';
import { formatUsd } from '../../../common/money.ts';
import type { AttemptRow, JobRow, RankRow } from '../../jobs/index.ts';
import { iso } from '../wire.ts';

export type JobSummary = z.output<typeof jobSummary>;
export type WireAttempt = z.output<typeof attempt>;

/** @param projects names by id */
export function toJobSummary(row: JobRow, projects: ReadonlyMap<string, string>): JobSummary {
  return {
    id: row.id,
    name: row.name,
    project: { id: row.project, name: projects.get(row.project) ?? row.project },
    state: row.state,
    pending:
      row.pending_reason === null
        ? null
        : {
            reason: row.pending_reason,
            message: row.pending_detail?.message ?? null,
            rejections: row.pending_detail?.rejections ?? null,
            expectedAt: row.pending_detail?.expectedAt ?? null,
            deferredUntil: iso(row.deferred_until),
          },
    stopReason: row.stop_reason,
    contactLostSince: iso(row.contact_lost_since),
    priority: row.priority,
    labels: row.spec.labels,
    arrayId: row.array_id,
    arrayIndex: row.array_index,
    attemptCount: row.attempt_count,
    exitCode: row.exit_code,
    reason: row.reason,
    submittedBy: row.submitted_by,
    submittedAt: iso(row.submitted_at),
    startedAt: iso(row.started_at),
    endedAt: iso(row.ended_at),
    revision: String(row.revision),
  };
}

/** The normalised spec; inside money is digits of micro-dollars, on the wire decimal dollars. */
export function toWireSpec(spec: JobSpec): Record<string, unknown> {
  const { maxPricePerHour, budget, ...pricing } = spec.pricing;
  return {
    ...spec,
    pricing: {
      ...pricing,
      ...(maxPricePerHour !== undefined && { maxPricePerHourUsd: formatUsd(BigInt(maxPricePerHour)) }),
      ...(budget !== undefined && { budgetUsd: formatUsd(BigInt(budget)) }),
    },
  };
}

/** @param names of nodes and sites by id */
export function toWireAttempt(
  row: AttemptRow,
  ranks: readonly RankRow[],
  names: ReadonlyMap<string, string>,
): WireAttempt {
  return {
    id: row.id,
    number: row.number,
    state: row.state,
    outcome: row.outcome,
    backend: row.backend,
    siteId: row.site_id,
    stopReason: row.stop_reason,
    unknownSince: iso(row.unknown_since),
    exitCode: row.exit_code,
    signal: row.signal,
    message: row.message,
    placedAt: iso(row.placed_at),
    startingAt: iso(row.starting_at),
    runningAt: iso(row.running_at),
    endedAt: iso(row.ended_at),
    ranks: ranks.map(toWireRank),
    explanation: toWireExplanation(row.explanation, names),
  };
}

function toWireRank(row: RankRow): WireAttempt['ranks'][number] {
  return {
    rank: row.rank,
    nodeId: row.node_id,
    state: row.state,
    reason: row.reason,
    exitCode: row.exit_code,
    signal: row.signal,
    message: row.message,
    startedAt: iso(row.started_at),
    endedAt: iso(row.ended_at),
  };
}

/** Ids of the nodes and sites that an attempt's explanation speaks of. */
export function explainedIds({ explanation }: Pick<AttemptRow, 'explanation'>): string[] {
  return explanationOf(explanation).candidates.flatMap(({ nodeId, siteId }) => [nodeId, siteId]);
}

function toWireExplanation(
  explanation: AttemptRow['explanation'],
  names: ReadonlyMap<string, string>,
): WireAttempt['explanation'] {
  const { policy, round, decidedAt, candidates, feasibleCount, rejections } = explanationOf(explanation);
  return {
    policy,
    round,
    decidedAt,
    candidates: candidates.map(({ nodeId, siteId, score, terms }) => ({
      nodeId,
      nodeName: names.get(nodeId) ?? null,
      siteId,
      siteName: names.get(siteId) ?? null,
      score,
      terms: [...terms],
    })),
    feasibleCount,
    rejections: { ...rejections },
  };
}
