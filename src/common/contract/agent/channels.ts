/**
 * Channels into a running job (protocol 2): exec, port-forward, file copy.
 *
 * Their bytes never share the node's session, where they would hold up heartbeats and logs. The gateway only says over the
 * session that a channel is wanted; the agent, which connects outward to its control plane and nowhere else, then opens a WebSocket of its
 * own to `/v1/agent/channels/<id>` at whichever server it reaches, once. What is wanted comes first on that socket (`request`),
 * and everything after it is frames (`common/channels`): control messages, and streams of bytes against credit.
 */
import { z } from 'zod';
import { pathInJob } from '../job-paths.ts';
import { attemptId, rank, token } from './parts.ts';

export const channelPath = '/v1/agent/channels/:id';
/** Between servers of one installation: the one that the agent reached hands the channel to the one that asked. */
export const relayPath = '/v1/relay/channels/:id';
/** Oldest protocol of an agent that knows channels. */
export const channelProtocol = 2;
/** Subprotocol between agent and server. */
export const channelSubprotocol = 'solyx.channel.v1';

const place = { attemptId, rank, token };

/** Gateway → agent over the session: open a channel. Nothing secret and nothing large is in it. */
export const channelWanted = z.object({ type: z.literal('channel'), channelId: z.string().max(64), ...place });
export type ChannelWanted = z.infer<typeof channelWanted>;

/** Size of a terminal in characters. */
export const terminalSize = z.object({ columns: z.int().min(1).max(2000), rows: z.int().min(1).max(2000) });
export type TerminalSize = z.infer<typeof terminalSize>;

const word = z
  .string()
  .max(65_536)
  .refine((text) => !text.includes('\0'), 'a word of a command has no NUL');
/** Program and arguments. `[]`: the shell of the job, bash where there is one. */
export const execCommand = z.array(word).max(1024);

/** Signals that may be sent to a command. */
export const channelSignals = ['INT', 'TERM', 'HUP', 'QUIT', 'KILL', 'USR1', 'USR2'] as const;

/** What a channel is for; the first control message down. */
export const channelRequest = z.discriminatedUnion('kind', [
  z.object({
    kind: z.literal('exec'),
    ...place,
    command: execCommand,
    /** Whether the client sends input; without it the command reads end of file. */
    stdin: z.boolean(),
    terminal: terminalSize.extend({ type: z.string().regex(/^[A-Za-z0-9._+-]{1,64}$/) }).nullable(),
  }),
  z.object({ kind: z.literal('forward'), ...place }),
  z.object({
    kind: z.literal('download'),
    ...place,
    path: pathInJob,
    mostBytes: z.number().min(1),
  }),
  z.object({
    kind: z.literal('upload'),
    ...place,
    path: pathInJob,
    /** Last part of the target when `path` is a folder. */
    name: z.string().max(255),
    entry: z.enum(['file', 'folder']),
    /** Permissions of a file, octal. */
    mode: z.string().regex(/^[0-7]{3}$/),
    mostBytes: z.number().min(1),
    mostFiles: z.int().min(1),
  }),
]);
export type ChannelRequest = z.infer<typeof channelRequest>;

/** Server → agent while an exec runs. */
export const execControl = z.discriminatedUnion('type', [
  terminalSize.extend({ type: z.literal('resize') }),
  z.object({ type: z.literal('signal'), name: z.enum(channelSignals) }),
]);
export type ExecControl = z.infer<typeof execControl>;

/** Request of a stream in a `forward` channel. */
export const forwardOpen = z.object({ port: z.int().min(1).max(65_535) });

/** Agent → server. */
export const channelEvent = z.discriminatedUnion('type', [
  /** The command runs; a download says what it found. */
  z.object({
    type: z.literal('ready'),
    entry: z.enum(['file', 'folder']).optional(),
    mode: z
      .string()
      .regex(/^[0-7]{3}$/)
      .optional(),
  }),
  /** The command ended; all of its output was sent before. */
  z.object({ type: z.literal('exit'), code: z.int().nullable(), signal: z.string().max(16).nullable() }),
  /** A copy is complete. */
  z.object({ type: z.literal('done'), files: z.int().min(0), bytes: z.number().min(0), path: z.string().max(8192) }),
  z.object({ type: z.literal('error'), code: z.string().max(64), detail: z.string().max(4096) }),
]);
export type ChannelEvent = z.infer<typeof channelEvent>;

/** Well-known streams. */
export const channelStreams = { stdin: 1, stdout: 2, stderr: 3, bytes: 4 } as const;

/** Most streams of a channel at once: connections of a forwarding. */
export const mostChannelStreams = 64;
