/** Handlers of what is measured over time. */
export { metricHandlers } from './job-metrics.ts';
export { telemetryHandlers } from './telemetry.ts';
