/** Every topic. A new one is a file here and a line below. */
import type { TopicSpec } from '../topic.ts';
import { jobTopic } from './job.ts';
import { jobsTopic } from './jobs.ts';

export const topics: readonly TopicSpec[] = [jobsTopic, jobTopic];
