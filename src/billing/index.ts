export { type SpendingAccount, type Spent, spentSince } from './usage/account-sums.ts';
export {
  closeIntervals,
  type HeldResources,
  type IntervalEnd,
  type IntervalStart,
  intervalCost,
  jobIntervals,
  openIntervals,
  sumUsage,
  type UsageInterval,
  type UsageSum,
} from './usage/intervals.ts';
export { sumJobs } from './usage/job-sums.ts';
export { type ProjectUsage, sumProjects, type UsageSpan } from './usage/project-sums.ts';
export { type RecentUsage, usageSince } from './usage/since.ts';
