export {
  closeInterval,
  type HeldResources,
  type IntervalEnd,
  intervalCost,
  jobIntervals,
  openInterval,
  sumUsage,
  type UsageInterval,
  type UsageSum,
} from './usage/intervals.ts';
export { sumJobs } from './usage/job-sums.ts';
export { type ProjectUsage, sumProjects, type UsageSpan } from './usage/project-sums.ts';
export { type RecentUsage, usageSince } from './usage/since.ts';
