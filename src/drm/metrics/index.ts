/** The face of the fleet's metrics. */
export { registerFleetMetrics } from './fleet-metrics.ts';
