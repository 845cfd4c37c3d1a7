/** What several jobs used: for lists, which must not ask for each of their rows. */
import { z } from 'zod';
import { deviceKinds } from '../job-spec.ts';
import { usage } from './jobs.ts';
import { id, repeated } from './parts.ts';
import { defineRoute } from './route.ts';

/** Most jobs of one request. */
const mostJobs = 100;

export const jobUsageRoutes = {
  listJobUsage: defineRoute('listJobUsage', {
    summary: 'What up to 100 jobs asked for and used: devices, time, energy, cost',
    access: { role: 'viewer' },
    query: z.strictObject({
      id: repeated(id('job'), mostJobs).describe(
        'Id of a job; several by repeating it. Others than one’s own are left out.',
      ),
    }),
    status: 200,
    answer: 'json',
    response: z.object({
      items: z.array(
        z
          .object({
            id: id('job'),
            devices: z
              .array(
                z.object({
                  kind: z.enum(deviceKinds),
                  models: z.array(z.string()).describe('Any of these; empty: any model.'),
                  count: z.number().min(0).describe('On all nodes together; a fraction of a device counts as such.'),
                }),
              )
              .describe('What it asks for first; alternatives are in its spec.'),
            usage,
          })
          .meta({ id: 'JobUsage' }),
      ),
    }),
    errors: [],
  }),
};
