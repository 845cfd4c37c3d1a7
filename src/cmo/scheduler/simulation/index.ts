/** The simulator: production's decisions on traces, under virtual time. */

export { InvalidPolicyError } from '../core/policy.ts';
export { type Difference, differences } from './compare.ts';
export { accountColumns, documentOf } from './document.ts';
export { type Figures, figuresOf } from './figures.ts';
export { type Cluster, readCluster } from './inputs/cluster-file.ts';
export { InputError, type InputIssue } from './inputs/input-error.ts';
export { isNodeList, readNodeList } from './inputs/openb-nodes.ts';
export { readPolicy } from './inputs/policy-file.ts';
export { reportOf } from './report/page.ts';
export { type SimulationResult, simulate } from './simulate.ts';
export { readTrace, type Trace, traceFormats } from './traces/trace.ts';
export { TraceError } from './traces/trace-error.ts';
export type { TraceJob } from './traces/trace-job.ts';
export { jobsOf, type SimulatedJob, type TraceUnit } from './workload.ts';
