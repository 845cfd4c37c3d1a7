export * from './channels/index.ts';
export { connectPath, Gateway, type GatewayDependencies } from './gateway.ts';
export type { LogLine } from './log-lines.ts';
export { type LogPage, logTopic, readLogLines } from './logs.ts';
export {
  listMetricSeries,
  type MetricFilter,
  type MetricProgress,
  type MetricSeries,
  metricsTopic,
  readMetricPoints,
  readMetricProgress,
  readMetricTail,
} from './metrics-read.ts';
export { progressMarks } from './progress-marks.ts';
export { pruneLogs } from './prune-logs.ts';
export { agentRoutes, type RouteDependencies } from './routes.ts';
export type { SessionTimings } from './session.ts';
