/** Training metrics of jobs, from their files to the control plane. */
export { MetricStream } from './metric-stream.ts';
