/** Every topic. A new one is a file here and a line below. */
import type { TopicSpec } from '../topic.ts';
import { fleetTopic } from './fleet.ts';
import { jobTopic } from './job.ts';
import { jobLogsTopic } from './job-logs.ts';
import { jobMetricsTopic } from './job-metrics.ts';
import { jobsTopic } from './jobs.ts';
import { overviewTopic } from './overview.ts';

export const topics: readonly TopicSpec[] = [
  jobsTopic,
  jobTopic,
  jobLogsTopic,
  jobMetricsTopic,
  fleetTopic,
  overviewTopic,
];
