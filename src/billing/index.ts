export {
  closeInterval,
  type HeldResources,
  type IntervalEnd,
  intervalCost,
  jobIntervals,
  openInterval,
  projectIntervals,
  sumUsage,
  type UsageInterval,
  type UsageSum,
} from './usage/intervals.ts';
