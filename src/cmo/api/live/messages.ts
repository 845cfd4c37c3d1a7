/** What clients of the live socket may say, checked: it is outside data like any other. */
import { z } from 'zod';

/** Longest message of a client, bytes: 500 ids fit twice. */
export const mostMessageBytes = 65_536;

const id = z.string().regex(/^[\x21-\x7e]{1,64}$/);
/** Most rows that a client may have on its screen. */
export const mostWatched = 500;
export const jobIds = z.array(z.string().max(64)).max(mostWatched);

const clientMessage = z.discriminatedUnion('op', [
  z.strictObject({
    op: z.literal('subscribe'),
    id,
    topic: z.string().max(128),
    params: z.record(z.string(), z.unknown()).optional(),
    since: z.string().max(32_768).optional(),
  }),
  z.strictObject({ op: z.literal('unsubscribe'), id }),
  z.strictObject({ op: z.literal('watch'), id, ids: jobIds }),
]);

type Parsed = z.output<typeof clientMessage>;

export type { Parsed as ParsedMessage };

/** Parses a text frame; undefined when it is none of the protocol. */
export function parseMessage(data: Buffer): Parsed | undefined {
  let value: unknown;
  try {
    value = JSON.parse(data.toString('utf8'));
  } catch {
    return undefined;
  }
  const parsed = clientMessage.safeParse(value);
  return parsed.success ? parsed.data : undefined;
}
