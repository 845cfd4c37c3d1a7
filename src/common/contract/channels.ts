/**
 * Channels as clients speak them: `GET /v1/jobs/:id/exec` and `GET /v1/jobs/:id/forward`, each a WebSocket whose binary messages are
 * the frames of `common/channels`.
 *
 * The client's first frame is the control message `start`. Then come control messages and streams: of an exec 1 (input) up, 2 and 3
 * (output, errors; a terminal has only output) down; of a forwarding, one per connection, opened by the client with
 * `{port}`, numbers from 17. The server answers `ready`, at an end `exit`, or `error` with a code of the error table. Files go
 * by HTTP: `GET` and `PUT /v1/jobs/:id/files`.
 */
import { z } from 'zod';
import { channelEvent, execCommand, execControl, terminalSize } from './agent/channels.ts';

export const execPath = '/v1/jobs/:id/exec';
export const forwardPath = '/v1/jobs/:id/forward';
/** Subprotocol of both. Browsers offer a ticket beside it (`POST /v1/live/tickets`). */
export const clientSubprotocol = 'solyx.channel.v1';

/** Where in the job. */
const place = {
  rank: z.int().min(0).max(4096).default(0),
  /** Number of the attempt; only the running one can be entered, and it is the default. */
  attempt: z.int().min(1).optional(),
};

export const execStart = z.strictObject({
  type: z.literal('start'),
  ...place,
  /** Program and arguments; empty: a shell. */
  command: execCommand,
  /** Whether input will be sent; without it the command reads end of file. Default no. */
  stdin: z.boolean().default(false),
  /** A terminal of this size and kind; null: three plain streams. */
  terminal: terminalSize
    .extend({
      type: z
        .string()
        .regex(/^[A-Za-z0-9._+-]{1,64}$/)
        .default('xterm-256color'),
    })
    .nullable()
    .default(null),
});
export type ExecStart = z.input<typeof execStart>;

export const forwardStart = z.strictObject({ type: z.literal('start'), ...place });
export type ForwardStart = z.input<typeof forwardStart>;

/** What a client says after `start` in an exec. */
export const clientControl = execControl;
/** What a client hears. */
export const serverEvent = channelEvent;
export type ServerEvent = z.infer<typeof serverEvent>;

/** How the server closes beside 1000 (all was said): the control message `error` came before and says why. */
export const channelCloseCodes = { refused: 4400, ended: 4410 } as const;
