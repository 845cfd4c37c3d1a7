/** Paths inside a job, as they come from people. They are resolved in the job's own root, by the job's own user. */
import { z } from 'zod';

/** Absolute, or relative to the job's working directory. */
export const pathInJob = z
  .string()
  .min(1)
  .max(4096)
  .refine((text) => !text.includes('\0'), 'a path has no NUL')
  .describe('Path inside the job; relative to its working directory unless it begins with "/".');
