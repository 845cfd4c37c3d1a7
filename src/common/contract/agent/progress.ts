/**
 * How far a rank is with starting (protocol 2), for people: the download of an image takes minutes, and silence looks like
 * a hang. Nothing hangs on it: a frame that is lost is not sent again.
 */
import { z } from 'zod';
import { attemptId, rank, token } from './parts.ts';

/** Least time between two of one rank, seconds; the server takes no more. */
export const progressEverySeconds = 5;

export const progressFrame = z.object({
  type: z.literal('progress'),
  attemptId,
  rank,
  token,
  message: z.string().max(256),
});
export type ProgressFrame = z.infer<typeof progressFrame>;
