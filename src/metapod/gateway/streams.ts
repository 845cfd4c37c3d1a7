/**
 * Takes what nodes stream up: reports, logs and metrics, acknowledged only when committed.
 *
 * Whatever queued on a socket while one transaction ran goes into the next together, one transaction for each kind, so
 * that a node with many jobs costs no more commits than one with a single job.
 */
import { type Database, withSystem } from '../../common/database/index.ts';
import type { Wake } from '../../common/events/index.ts';
import { failpoint } from '../../common/failpoints.ts';
import type { Logger } from '../../common/logger.ts';
import { appendLogs, logTopic } from './logs.ts';
import type { GatewayMeters } from './meters.ts';
import { appendMetrics } from './metrics.ts';
import { metricsTopic } from './metrics-read.ts';
import { insertReports } from './reports.ts';
import type { NodeSession, StreamMessage } from './session.ts';

export interface StreamDependencies {
  readonly db: Database;
  readonly wake: Wake;
  readonly logger: Logger;
  readonly meters: GatewayMeters;
}

type Frames<T extends StreamMessage['type']> = readonly Extract<StreamMessage, { type: T }>[];

/** @throws Error when the database cannot record it; the agent sends again what was not acknowledged */
export async function takeStreams(
  deps: StreamDependencies,
  session: NodeSession,
  messages: readonly StreamMessage[],
): Promise<void> {
  const reports = messages.filter((message) => message.type === 'reports');
  const logs = messages.filter((message) => message.type === 'logs');
  const metrics = messages.filter((message) => message.type === 'metrics');
  if (reports.length > 0) await takeReports(deps, session, reports);
  if (logs.length > 0) await takeLogs(deps, session, logs);
  if (metrics.length > 0) await takeMetrics(deps, session, metrics);
}

async function takeReports(
  { db, wake, logger, meters }: StreamDependencies,
  session: NodeSession,
  reports: Frames<'reports'>,
) {
  const items = reports.flatMap(({ journal, seq, items }) =>
    items.map((report, index) => ({ journal, seq: seq + index, report })),
  );
  failpoint('gateway.before-reports');
  const written = await withSystem(db, (tx) => insertReports(tx, session.nodeId, items), { idempotent: true });
  failpoint('gateway.after-reports');
  if (written.foreign > 0) logger.warn({ node: session.nodeId, ...written }, 'reports of foreign ranks');
  meters.reports.inc(written.inserted);
  if (written.inserted > 0) wake.wake('orchestrator');
  for (const { journal, seq, items } of reports) {
    session.send({ type: 'reportsAck', journal, next: seq + items.length });
  }
}

async function takeLogs({ db, wake, meters }: StreamDependencies, session: NodeSession, logs: Frames<'logs'>) {
  failpoint('gateway.before-logs');
  const verdicts = await withSystem(db, (tx) => appendLogs(tx, session.nodeId, logs), { idempotent: true });
  failpoint('gateway.after-logs');
  meters.logBytes.inc(logs.reduce((sum, frame) => sum + Buffer.byteLength(frame.lines), 0));
  meters.logLines.inc(logs.reduce((sum, frame) => sum + frame.lineCount, 0));
  for (const [index, { attemptId, rank, firstLine }] of logs.entries()) {
    const verdict = verdicts[index]!;
    if (verdict.kind === 'garbled') {
      session.close('protocol', 'bad_request', 'Log lines are not as announced.');
      return;
    }
    if (verdict.kind === 'next') session.send({ type: 'logsAck', attemptId, rank, nextLine: verdict.nextLine });
    else session.send({ type: 'logsAck', attemptId, rank, nextLine: firstLine, refused: true });
  }
  for (const attemptId of new Set(logs.map((frame) => frame.attemptId))) wake.wake(logTopic(attemptId));
}

async function takeMetrics({ db, wake, meters }: StreamDependencies, session: NodeSession, frames: Frames<'metrics'>) {
  failpoint('gateway.before-metrics');
  const verdicts = await withSystem(db, (tx) => appendMetrics(tx, session.nodeId, frames), { idempotent: true });
  failpoint('gateway.after-metrics');
  const points = frames.flatMap(({ batch }) => batch?.series.flatMap((series) => series.points) ?? []);
  meters.metricValues.inc(points.reduce((sum, point) => sum + point[2] + point[3], 0));
  for (const [index, { attemptId, rank }] of frames.entries()) {
    const verdict = verdicts[index]!;
    const { next, position, complete } = verdict.kind === 'next' ? verdict : { next: 0, position: '', complete: true };
    const refused = verdict.kind === 'refused' ? { refused: true } : {};
    session.send({ type: 'metricsAck', attemptId, rank, next, position, complete, ...refused });
  }
  const brought = frames.filter(({ batch }) => batch !== null).map(({ attemptId }) => attemptId);
  for (const attemptId of new Set(brought)) wake.wake(metricsTopic(attemptId));
}
