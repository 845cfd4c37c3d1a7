/** Files of a running job, in and out. Shells and forwarded ports are WebSockets: `contract/channels.ts`. */
import { z } from 'zod';
import { pathInJob } from '../job-paths.ts';
import { id, whole } from './parts.ts';
import { defineRoute } from './route.ts';

const params = z.strictObject({ id: id('job') });
const place = {
  rank: whole(0, 4096).default(0),
  attempt: whole(1, 1_000_000).optional(),
  path: pathInJob,
};

const errors = [
  'job_not_running',
  'node_unreachable',
  'node_too_old',
  'path_not_found',
  'copy_refused',
  'exec_failed',
  'channel_lost',
  'channel_timeout',
  'stale_token',
] as const;

export const fileRoutes = {
  getJobFiles: defineRoute('getJobFiles', {
    summary:
      'Copy a file (its bytes) or a folder (a tar of what is in it) out of a running job; `X-Solyx-Entry` says which',
    access: { role: 'member' },
    params,
    query: z.strictObject(place),
    status: 200,
    answer: 'bytes',
    response: z.string(),
    errors: [...errors],
  }),
  putJobFiles: defineRoute('putJobFiles', {
    summary: 'Copy a file or folder into a running job; it appears whole or not at all',
    access: { role: 'member' },
    params,
    query: z.strictObject({
      ...place,
      entry: z
        .enum(['file', 'folder'])
        .describe('What the body is: the bytes of a file, or a tar of what is in a folder, with paths relative to it.'),
      mode: z
        .string()
        .regex(/^[0-7]{3}$/)
        .default('644')
        .describe('Permissions of a file, octal.'),
      name: z
        .string()
        .regex(/^[^/\0]{1,255}$/)
        .refine((text) => text !== '.' && text !== '..')
        .optional()
        .describe('Name of the new file or folder when `path` is a folder that exists, or ends with "/".'),
    }),
    body: 'bytes',
    status: 200,
    answer: 'json',
    response: z.object({
      path: z.string().describe('Where it is now.'),
      files: z.int().min(0),
      bytes: z.number().min(0),
    }),
    errors: [...errors, 'already_exists', 'disk_full'],
  }),
};
