/** Moves of running jobs that would make more of the fleet usable, for the operator to judge. Nothing here moves anything. */
import { z } from 'zod';
import { id, instant, whole } from './parts.ts';
import { defineRoute } from './route.ts';

const named = (kind: Parameters<typeof id>[0]) => z.object({ id: id(kind), name: z.string() });

const move = z.object({
  job: named('job'),
  tenant: named('tenant'),
  project: named('project'),
  site: named('site'),
  from: named('node'),
  to: named('node'),
  devices: z.number().positive().describe('Devices that it holds, so many as are moved.'),
  usefulDevices: z
    .number()
    .positive()
    .describe(
      'Free devices by which more can be used by the jobs that are expected, when those before it are made, too.',
    ),
  worth: z.number().positive().describe('`usefulDevices` for each device that is moved.'),
  lostSeconds: z.number().min(0).describe('Work that would be done again: since its last checkpoint, or its start.'),
  expectedEndAt: instant.nullable().describe('When it is expected to end where it is; null when nobody can say.'),
});

export const moveRoutes = {
  planMoves: defineRoute('planMoves', {
    summary: 'Which running jobs to move, and in which order, so that more of what is free can be used; moves nothing',
    access: { role: 'viewer', operator: true },
    query: z.strictObject({
      limit: whole(1, 100).default(20).describe('Most moves. Default 20.'),
      leastWorth: z.coerce
        .number<number>()
        .min(0)
        .max(1000)
        .default(0.25)
        .describe('Least worth of a move: devices that become useful for each device moved. Default 0.25.'),
    }),
    status: 200,
    answer: 'json',
    response: z.object({
      at: instant,
      moves: z
        .array(move)
        .describe('In the order in which they must be made: a later one may need what an earlier frees.'),
      devices: z.number().min(0).describe('Devices that all of them move.'),
      usefulDevices: z.number().min(0).describe('Devices that all of them make useful.'),
      uselessDevices: z
        .number()
        .min(0)
        .describe(
          'Free devices that the jobs that are expected cannot use as things stand, on nodes that take new work.',
        ),
      running: z.int().min(0).describe('Jobs that hold something.'),
      considered: z.int().min(0).describe('Those of them that could be moved, at most 10,000.'),
      message: z.string().nullable().describe('Why nothing is proposed; null when something is.'),
    }),
    errors: ['forbidden'],
  }),
};
