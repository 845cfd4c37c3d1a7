/**
 * How a job's secrets reach the node that starts it: `POST /v1/agent/attempts/:attemptId/secrets`, asked by the agent in the moment
 * before the supervisor starts and as often as that has to be repeated.
 *
 * They are in no command, so nothing stores them: not the table of commands, not the agent's intent on disk. The start command
 * only says which there are.
 */
import { z } from 'zod';
import { rank, token } from './parts.ts';

/** What the start command says of a secret: where the job wants it. */
export const secretTarget = z.object({
  name: z.string(),
  /** Environment variable. */
  env: z.string().nullable(),
  /** Name of a file in the job's directory of secrets. */
  file: z.string().nullable(),
});

/** `image`: what the registry of the job's image is shown, instead of the job's own secrets. */
export const secretsRequest = z.strictObject({ token, rank, image: z.boolean().default(false) });

export const secretsAnswer = z.object({
  secrets: z.array(secretTarget.omit({ name: true }).extend({ value: z.base64().describe('The value.') })).max(64),
  /** `username:password` for the image's registry; asked for by `image`. */
  imageCredentials: z.base64().nullable().default(null),
});
export type SecretsAnswer = z.infer<typeof secretsAnswer>;
