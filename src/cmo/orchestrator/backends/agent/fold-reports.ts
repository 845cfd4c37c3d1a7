/**
 * Folds the reports of each rank into one observation. Pure, and independent of the order of the reports: a node's reports
 * may reach the table out of order when it changes gateways. Of two contrary ends the one that was recorded first holds.
 */
import type { RankReport } from '../../../../common/contract/agent/protocol.ts';
import type { RankObservation } from '../backend.ts';

export interface ReportRow {
  readonly id: bigint;
  readonly attempt_id: string;
  readonly rank: number;
  readonly token: bigint;
  readonly body: RankReport;
  readonly received_at: Date;
}

const order = { starting: 0, running: 1, ended: 2 } as const;

/** @param rows reports of any attempts, in any order */
export function foldReports(rows: readonly ReportRow[]): RankObservation[] {
  const byRank = Map.groupBy(rows, ({ attempt_id, rank, token }) => `${attempt_id}/${rank}/${token}`);
  return [...byRank.values()].map(foldRank);
}

function foldRank(reports: readonly ReportRow[]): RankObservation {
  const sorted = [...reports].sort(
    (a, b) => order[b.body.state] - order[a.body.state] || Number(a.id - b.id) /* the oldest of the furthest state */,
  );
  const furthest = sorted[0]!;
  const { body } = furthest;
  const running = sorted.findLast((report) => report.body.state === 'running');
  const startedAt = running && instantOf(running);
  return {
    attemptId: furthest.attempt_id,
    rank: furthest.rank,
    token: furthest.token,
    state: body.state,
    ...(startedAt && { startedAt }),
    ...(body.state === 'ended' && { endedAt: instantOf(furthest) }),
    ...(body.ranSeconds !== undefined && { ranSeconds: body.ranSeconds }),
    ...(body.end && { end: body.end }),
    ...(body.usage && { usage: body.usage }),
  };
}

/** A node's clock may be wrong; it cannot report what is yet to come. */
function instantOf({ body, received_at }: ReportRow): Date {
  return new Date(Math.min(Date.parse(body.at), received_at.getTime()));
}
