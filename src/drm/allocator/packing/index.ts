/** The pure part of the allocator's face: what other pure cores may use without reaching a database. */
export { Fragmentation, type PackingColumns, stepMilli, type Want } from './fragmentation/fragmentation.ts';
export type { JobClass } from './fragmentation/job-class.ts';
export { LearnedWorkload, type Share } from './fragmentation/learned-workload.ts';
export { WorkloadTables } from './fragmentation/workload-tables.ts';
export { PowerCost, type PowerFigures, type ProcessorFigures } from './power/power-cost.ts';
