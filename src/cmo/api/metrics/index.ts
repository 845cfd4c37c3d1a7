/** Handlers of what is measured over time. */
export { type JobMetrics, type MetricsQuery, metricHandlers, readJobMetrics } from './job-metrics.ts';
export { telemetryHandlers } from './telemetry.ts';
